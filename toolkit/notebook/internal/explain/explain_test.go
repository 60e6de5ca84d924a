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
		"others stay":  {"x", "./main.go:1:1: x (untyped int) is not used\n\tmore\ngo: no space left", "main.go:1:1: x (untyped int) is not used\n\tmore\ngo: no space left"},
		"out of range": {"", "./main.go:9:9: undefined: x", "main.go:9:9: undefined: x (if a cell above defines it, run that cell first; a value lives in its own cell, below %%: make it again here, or write a function that returns it)"},
	} {
		require.Equal(t, c.want, explain(c.said, c.code), name)
	}
}
