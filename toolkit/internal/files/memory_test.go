package files

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

func TestFreeMemory(t *testing.T) {
	system := func(files ...string) fstest.MapFS {
		root := fstest.MapFS{"proc/meminfo": {Data: []byte("MemTotal: 999 kB\nMemFree: 1 kB\nMemAvailable: 400 kB\n")}}
		for i := 0; i < len(files); i += 2 {
			root[files[i]] = &fstest.MapFile{Data: []byte(files[i+1])}
		}
		return root
	}
	const available = 400 << 10
	v2 := "sys/fs/cgroup/"
	v1 := "sys/fs/cgroup/memory/"
	for name, c := range map[string]struct {
		root fstest.MapFS
		free int64
	}{
		"no Linux":   {fstest.MapFS{}, 0},
		"no groups":  {system(), available},
		"no limit":   {system("proc/self/cgroup", "0::/\n", v2+"memory.max", "max\n"), available},
		"more there": {system("proc/self/cgroup", "0::/\n", v2+"memory.max", "900000\n", v2+"memory.current", "1000\n"), available},
		"a container": {system("proc/self/cgroup", "0::/\n", v2+"memory.max", "300000\n", v2+"memory.current", "100000\n",
			v2+"memory.stat", "anon 1\ninactive_file 50000\n"), 250000},
		"full": {system("proc/self/cgroup", "0::/\n", v2+"memory.max", "300000\n", v2+"memory.current", "300001\n"), 1},
		"a limit further out": {system("proc/self/cgroup", "0::/slice/job/step\n", v2+"slice/job/step/memory.max", "max\n",
			v2+"slice/job/memory.max", "200000\n", v2+"slice/memory.max", "300000\n"), 200000},
		"version 1": {system("proc/self/cgroup", "5:cpu:/a\n4:memory:/a\n0::/\n", v1+"a/memory.limit_in_bytes", "9223372036854771712\n",
			v1+"memory.limit_in_bytes", "100000\n", v1+"memory.usage_in_bytes", "40000\n", v1+"memory.stat", "total_inactive_file 5\n"), 60005},
		// Version 1 names the group as it is outside, where the container sees its own alone.
		"version 1 in a container": {system("proc/self/cgroup", "4:memory:/docker/0123\n", v1+"memory.limit_in_bytes", "100000\n"), 100000},
	} {
		require.Equal(t, c.free, freeMemory(c.root), name)
	}
}
