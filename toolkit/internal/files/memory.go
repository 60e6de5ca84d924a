package files

import (
	"bufio"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
)

// FreeMemory returns how much memory this process can get without swapping, in bytes: what Linux has, or what is left of the
// limit of a container or a job, if that is less. 0 is not known, 1 is none.
func FreeMemory() int64 { return freeMemory(os.DirFS("/")) }

// freeMemory is FreeMemory with the system's files, below its root.
func freeMemory(root fs.FS) int64 {
	free := fieldOf(root, "proc/meminfo", "MemAvailable:") << 10
	for _, left := range leftOfLimits(root) {
		if free == 0 || left < free {
			free = left
		}
	}
	return free
}

// leftOfLimits is what is left of each limit that Linux' control groups set: that of the process's own group, and those of the
// groups around it. A container sees its own group as the outermost one, whatever its name outside is.
func leftOfLimits(root fs.FS) (left []int64) {
	groups, _ := fs.ReadFile(root, "proc/self/cgroup")
	for line := range strings.Lines(string(groups)) {
		// "0::/group" of version 2, or "4:memory:/group" of version 1
		_, rest, _ := strings.Cut(strings.TrimSpace(line), ":")
		controllers, group, _ := strings.Cut(rest, ":")
		folder, limit, usage, unused := "sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"
		if controllers == "memory" {
			folder, limit, usage, unused = "sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
		} else if controllers != "" {
			continue
		}
		for group = path.Clean("/" + group); ; group = path.Dir(group) {
			at := path.Join(folder, group)
			if most, ok := number(root, path.Join(at, limit)); ok {
				used, _ := number(root, path.Join(at, usage))
				// Pages of files that nobody reads are given back when memory is asked for.
				left = append(left, max(1, most-used+fieldOf(root, path.Join(at, "memory.stat"), unused)))
			}
			if group == "/" {
				break
			}
		}
	}
	return left
}

// number is the number that a file holds. "max" is none, and so is what version 1 has for no limit.
func number(root fs.FS, name string) (int64, bool) {
	data, err := fs.ReadFile(root, name)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64)
	return n, err == nil && n < 1<<62
}

// fieldOf is the number after a name at the beginning of a line, or 0.
func fieldOf(root fs.FS, name, field string) int64 {
	file, err := root.Open(name)
	if err != nil {
		return 0
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if words := strings.Fields(lines.Text()); len(words) > 1 && words[0] == field {
			n, _ := strconv.ParseInt(words[1], 10, 64)
			return n
		}
	}
	return 0
}
