package residual

import (
	"fmt"
	"reflect"
	"runtime"
	"strings"

	"github.com/gomlx/gomlx/core/graph"
)

// Mistake is what went wrong while a block built its part of a graph. GoMLX wraps it in errors that name its own functions:
// errors.As finds it there.
type Mistake struct {
	Block  string // the block's type
	Method string // Branch or Join
	Where  string // file and line of the block's code, "" if that is not known
	Err    error
}

func (m *Mistake) Error() string {
	where := ""
	if m.Where != "" {
		where = " at " + m.Where
	}
	return fmt.Sprintf("block %s, %s%s: %v", m.Block, m.Method, where, m.Err)
}

// Unwrap returns the error of GoMLX's operation, or of the block's own.
func (m *Mistake) Unwrap() error { return m.Err }

// Branch is the branch of the stack's block, for forms. It panics with a [Mistake] if the block does.
func (s Stack) Branch(b *Branch, x *graph.Node) *graph.Node {
	defer s.explain("Branch")
	return s.Block.Branch(b, x)
}

// Join is the join of the stack's block, for forms. It panics with a [Mistake] if the block does.
func (s Stack) Join(branch, shortcut *graph.Node) *graph.Node {
	defer s.explain("Join")
	return s.Block.Join(branch, shortcut)
}

// explain makes a panic of a method of the block a panic with a Mistake.
func (s Stack) explain(method string) {
	problem := recover()
	if problem == nil {
		return
	}
	err, ok := problem.(error)
	if !ok {
		err = fmt.Errorf("%v", problem)
	}
	kind := reflect.TypeOf(s.Block)
	if kind.Kind() == reflect.Pointer {
		kind = kind.Elem()
	}
	panic(&Mistake{Block: kind.Name(), Method: method, Where: lineIn(kind.PkgPath()), Err: err})
}

// lineIn returns the line of a package in which a panic came up, the innermost one, while the panic is being recovered.
func lineIn(path string) string {
	callers := make([]uintptr, 64)
	frames := runtime.CallersFrames(callers[:runtime.Callers(1, callers)])
	for {
		frame, more := frames.Next()
		if rest, ok := strings.CutPrefix(frame.Function, path+"."); ok && !strings.HasPrefix(rest, "Stack.explain") && rest != "lineIn" {
			return fmt.Sprintf("%s:%d", frame.File, frame.Line)
		}
		if !more {
			return ""
		}
	}
}
