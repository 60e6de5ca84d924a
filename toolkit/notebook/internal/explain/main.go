// Command explain puts what the Go compiler says of a notebook's cell into a reader's words: it reads the compiler's output, and
// GoNB's main.go in the folder that is its argument. notebooks/kernel/path/go calls it when a cell does not compile.
package main

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"stochdepth/toolkit/internal/project"
	"stochdepth/toolkit/internal/say"
)

func main() {
	said, _ := io.ReadAll(os.Stdin)
	code, _ := os.ReadFile(filepath.Join(os.Args[1], "main.go"))
	fmt.Println(explain(string(said), string(code)))
}

var (
	// located is a line of the compiler's; GoNB takes line and column from it.
	located   = regexp.MustCompile(`^.*?(main(?:_test)?\.go:(\d+):(\d+): )(.*)$`)
	undefined = regexp.MustCompile(`^undefined: (\w+)$`)
)

// explain returns what the compiler said of the code, without the paths of its folder, and with a remedy where newcomers to Go
// look for one.
func explain(said, code string) string {
	lines := strings.Split(code, "\n")
	var texts []string
	misspelt := make(map[string]bool) // packages with a wrong name, whose right ones are undefined too
	for line := range strings.Lines(strings.TrimSpace(said)) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "# ") { // the name of GoNB's package
			continue
		}
		parts := located.FindStringSubmatch(line)
		if parts == nil {
			texts = append(texts, line)
			continue
		}
		row, _ := strconv.Atoi(parts[2])
		column, _ := strconv.Atoi(parts[3])
		text := parts[4]
		if name := undefined.FindStringSubmatch(text); name != nil {
			var wrong bool
			if text, wrong = ofUndefined(name[1], rest(lines, row, column+len(name[1]))); wrong {
				misspelt[name[1]] = true
			}
		} else {
			for words, remedy := range remedies {
				if strings.Contains(text, words) {
					text += remedy
				}
			}
		}
		texts = append(texts, parts[1]+text)
	}
	var shown []string
	for _, text := range texts {
		_, unknown, found := strings.Cut(text, notImported)
		if !found || !misspelt[unknown] {
			shown = append(shown, text)
		}
	}
	return strings.Join(shown, "\n")
}

// remedies are added to messages with these words.
var remedies = map[string]string{
	"declared and not used": " (each value must be used: use it or delete it)",
	"assignment mismatch: 1 variable but": " (the second is an error: notebook.Must(...) around the call ends the cell with its sentence, " +
		"and leaves the first)",
	"imported and not used": " (delete the import: those that a cell needs come by themselves)",
}

// notImported begins the message for a right name of a package that was not imported because of a wrong one elsewhere.
const notImported = "not imported because of another name: "

// rest is what follows a column, from 1, of a line, from 1.
func rest(lines []string, row, column int) string {
	if row < 1 || row > len(lines) || column < 1 || column > len(lines[row-1]) {
		return ""
	}
	return lines[row-1][column-1:]
}

var selector = regexp.MustCompile(`^\.(\w+)`)

// ofUndefined says what is wrong with a name that is undefined, followed by after. Where a package has no such name, it is
// imported by no means, so the compiler takes the package itself for undefined: then wrong is true.
func ofUndefined(name, after string) (text string, wrong bool) {
	selected := selector.FindStringSubmatch(after)
	if selected == nil {
		return fmt.Sprintf("undefined: %s (if a cell above defines it, run that cell first; a value lives in its own cell, below %%%%: make it again here, or write a function that returns it)", name), false
	}
	folders := packages(name)
	if len(folders) == 0 {
		return fmt.Sprintf("undefined: %s (neither a package nor a value of this cell; values of other cells are gone)", name), false
	}
	var known []string
	for _, folder := range folders {
		known = append(known, exported(folder)...)
	}
	for _, k := range known {
		if k == selected[1] {
			return notImported + name, false
		}
	}
	return fmt.Sprintf("undefined: %s.%s%s", name, selected[1], didYouMean(selected[1], known)), true
}

// didYouMean suggests the names nearest to one, whatever their capital letters.
func didYouMean(name string, known []string) string {
	named := make(map[string]string)
	var words []string
	for _, k := range known {
		words, named[strings.ToLower(k)] = append(words, strings.ToLower(k)), k
	}
	near := say.Nearest(name, words)
	if len(near) == 0 {
		return ""
	}
	for i := range near {
		near[i] = named[near[i]]
	}
	return fmt.Sprintf(" (did you mean %s?)", strings.Join(near, " or "))
}

// packages lists the folders of the toolkit's and the standard library's packages of a name.
func packages(name string) (folders []string) {
	for _, folder := range []string{name, "path/" + name, "math/" + name, "encoding/" + name} {
		if folder = filepath.Join(build.Default.GOROOT, "src", filepath.FromSlash(folder)); isDir(folder) {
			folders = append(folders, folder)
		}
	}
	root, err := project.Root()
	if err != nil {
		return folders
	}
	_ = filepath.WalkDir(filepath.Join(root, "toolkit"), func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil || !entry.IsDir():
			return err
		case entry.Name() == "internal" || entry.Name() == "testdata":
			return filepath.SkipDir
		case entry.Name() == name:
			folders = append(folders, path)
		}
		return nil
	})
	return folders
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// exported lists the names that the package in a folder exports.
func exported(folder string) (names []string) {
	files, _ := filepath.Glob(filepath.Join(folder, "*.go"))
	for _, path := range files {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			continue
		}
		for _, declaration := range file.Decls {
			switch d := declaration.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil && d.Name.IsExported() {
					names = append(names, d.Name.Name)
				}
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					switch s := spec.(type) {
					case *ast.TypeSpec:
						names = append(names, s.Name.Name)
					case *ast.ValueSpec:
						for _, n := range s.Names {
							names = append(names, n.Name)
						}
					}
				}
			}
		}
	}
	return names
}
