package main

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// What the compiler says of cells with a newcomer's mistakes, and what the reader sees: no folder, and a remedy.
func TestExplain(t *testing.T) {
	for name, c := range map[string]struct{ code, said, want string }{
		"misspelt": {"package main\nnotebook.Figur(\"fig1\")\nnotebook.Show(1)",
			"# gonb_0123abcd\n./main.go:2:1: undefined: notebook\n./main.go:3:1: undefined: notebook\n",
			`main.go:2:1: undefined: notebook.Figur (did you mean Figure or FigurePath?)`},
		"misspelt in the standard library": {"\tfmt.Printn(1)", "/tmp/gonb_0123abcd/main.go:1:2: undefined: fmt",
			`main.go:1:2: undefined: fmt.Printn (did you mean Printf or Print or Println?)`},
		"another cell's": {"fmt.Println(recipe.Depth)", "./main.go:1:13: undefined: recipe",
			"main.go:1:13: undefined: recipe (neither a package nor a value of this cell; values of other cells are gone)"},
		"a value of another cell": {"notebook.Show(figure)", "./main.go:1:15: undefined: figure",
			"main.go:1:15: undefined: figure (if a cell above defines it, run that cell first; a value lives in its own cell, below %%: make it again here, or write a function that returns it)"},
		"unused": {"x := 1", "./main.go:1:1: declared and not used: x",
			"main.go:1:1: declared and not used: x (each value must be used: use it or delete it)"},
		"two results": {"run := watch.Try(ctx)",
			"./main.go:1:8: assignment mismatch: 1 variable but watch.Try returns 2 values",
			"main.go:1:8: assignment mismatch: 1 variable but watch.Try returns 2 values (the second is an error: notebook.Must(...) " +
				"around the call ends the cell with its sentence, and leaves the first)"},
		"= for :=": {"x = 5", "./main.go:1:1: undefined: x",
			"main.go:1:1: undefined: x (a new value takes :=, as in x := 5; = changes one that is there)"},
		"Python's name": {"x := True", "./main.go:1:6: undefined: True", "main.go:1:6: undefined: True (in Go it is true)"},
		"no %%": {"x = 5", "/tmp/gonb_1/main.go:1:1: expected declaration, found x",
			"main.go:1:1: expected declaration, found x (put %% alone on the cell's first line: statements stand below it)"},
		"def": {"def f(x):", "/tmp/gonb_1/main.go:1:1: expected declaration, found def",
			"main.go:1:1: expected declaration, found def (a function is func double(x float64) float64 { return 2 * x })"},
		"single quotes": {"x := 'abc'", "/tmp/gonb_1/main.go:1:6: illegal rune literal",
			`main.go:1:6: illegal rune literal (text stands in double quotes: "abc")`},
		"#": {"# a", "/tmp/gonb_1/main.go:1:1: illegal character U+0023 '#' (and 1 more errors)",
			"main.go:1:1: illegal character U+0023 '#' (comments begin with //)"},
		"for in": {"for i in range(10):", "/tmp/gonb_1/main.go:1:7: expected '{', found in (and 1 more errors)",
			"main.go:1:7: expected '{', found in (a loop is for i := range 10 { ... }, or for _, x := range list { ... })"},
		"colon": {"if x:", "/tmp/gonb_1/main.go:1:5: illegal label declaration (and 2 more errors)",
			"main.go:1:5: illegal label declaration (braces take the place of the colon and the indentation: if x > 0 { ... })"},
		"numbers": {"y := n * x", "./main.go:1:6: invalid operation: n * x (mismatched types int and float64)",
			"main.go:1:6: invalid operation: n * x (mismatched types int and float64) (Go converts no number by itself: float64(n) or int64(n) does)"},
		"list": {"x := [1, 2]", "/tmp/gonb_1/main.go:1:8: unexpected comma; expecting ] (and 1 more errors)",
			"main.go:1:8: unexpected comma; expecting ] (a list says what is in it: []float64{1, 2, 3})"},
		"others stay":  {"x", "./main.go:1:1: x (untyped int) is not used\n\tmore\ngo: no space left", "main.go:1:1: x (untyped int) is not used\n\tmore\ngo: no space left"},
		"out of range": {"", "./main.go:9:9: undefined: x", "main.go:9:9: undefined: x (if a cell above defines it, run that cell first; a value lives in its own cell, below %%: make it again here, or write a function that returns it)"},
	} {
		require.Equal(t, c.want, explain(c.said, c.code), name)
	}
}
