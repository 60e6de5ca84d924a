// Command explain puts what Go's parser and compiler say of a notebook's cell into a reader's words: it reads their output, and
// GoNB's main.go in the folder that is its argument. notebooks/kernel/path/explain calls it when Go does not understand a cell.
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
	// more ends the parser's first message. What follows a syntax error is seldom another one.
	more = regexp.MustCompile(` \(and \d+ more errors?\)$`)
)

// explain returns what was said of the code, without the paths of its folder, and with a remedy where newcomers to Go
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
		text := more.ReplaceAllString(parts[4], "")
		if name := undefined.FindStringSubmatch(text); name != nil {
			var wrong bool
			if text, wrong = ofUndefined(name[1], rest(lines, row, column+len(name[1]))); wrong {
				misspelt[name[1]] = true
			}
		} else {
			text += remedy(text, rest(lines, row, 1))
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

// habits are mistakes of those who know Python, in a line that Go does not parse, or in what is said of it: the first that
// fits is answered.
var habits = []struct{ line, said, remedy string }{
	{`^\s*#|\s#\s`, `illegal character`, "comments begin with //"},
	{`'`, `illegal rune literal|more than one character in rune literal`, `text stands in double quotes: "abc"`},
	{`^\s*for\b.*\bin\b`, ``, "a loop is for i := range 10 { ... }, or for _, x := range list { ... }"},
	{`^\s*while\b`, ``, "every loop begins with for: for x < 10 { ... }"},
	{`^\s*def\b`, ``, "a function is func double(x float64) float64 { return 2 * x }"},
	{`^\s*(import|from)\b`, `expected`, "delete it: the imports that a cell needs come by themselves"},
	{`^\s*(if|elif|else|for|class|with|try)\b.*:\s*$`, ``, "braces take the place of the colon and the indentation: if x > 0 { ... }"},
	{`=\s*\[`, `unexpected comma; expecting \]`, "a list says what is in it: []float64{1, 2, 3}"},
	{``, `expected declaration`, "put %% alone on the cell's first line: statements stand below it"},
	{``, `missing ',' before newline|expected '[)\]}]'`, "a closing bracket is missing, or a comma at the end of the line"},
	{``, `declared and not used`, "each value must be used: use it or delete it"},
	{``, `assignment mismatch: 1 variable but`,
		"the second is an error: notebook.Must(...) around the call ends the cell with its sentence, and leaves the first"},
	{`Must\(`, `not enough arguments in call to notebook\.Must`, "what is called returns no error: leave notebook.Must out"},
	{``, `no new variables on left side of :=`, "= changes a value that is there"},
	{``, `mismatched types|cannot use .*\b(u?int|float)\d* (value|constant)`, "Go converts no number by itself: float64(n) or int64(n) does"},
	{``, `imported and not used`, "delete the import: those that a cell needs come by themselves"},
}

// syntax is how Go's parser begins its messages; what the compiler says of a line that parses is no matter of habit.
var syntax = regexp.MustCompile(`^(expected|illegal|unexpected|missing|syntax error)`)

// remedy is what to do about a message, in brackets, or nothing.
func remedy(said, line string) string {
	for _, h := range habits {
		if h.said == "" && !syntax.MatchString(said) {
			continue
		}
		if regexp.MustCompile(h.line).MatchString(line) && regexp.MustCompile(h.said).MatchString(said) {
			return " (" + h.remedy + ")"
		}
	}
	return ""
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

var (
	selector   = regexp.MustCompile(`^\.(\w+)`)
	assignment = regexp.MustCompile(`^(, \w+)*\s*=[^=]`)
	// python are its names for what Go calls otherwise.
	python = map[string]string{"True": "true", "False": "false", "None": "nil", "str": "fmt.Sprint", "print": "fmt.Println"}
)

// ofUndefined says what is wrong with a name that is undefined, followed by after. Where a package has no such name, it is
// imported by no means, so the compiler takes the package itself for undefined: then wrong is true.
func ofUndefined(name, after string) (text string, wrong bool) {
	selected := selector.FindStringSubmatch(after)
	switch {
	case python[name] != "":
		return fmt.Sprintf("undefined: %s (in Go it is %s)", name, python[name]), false
	case assignment.MatchString(after):
		return fmt.Sprintf("undefined: %s (a new value takes :=, as in %s := 5; = changes one that is there)", name, name), false
	case selected == nil:
		return fmt.Sprintf("undefined: %s (if a cell above defines it, run that cell first; a value lives in its own cell, below %%%%: "+
			"make it again here, or write a function that returns it)", name), false
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
