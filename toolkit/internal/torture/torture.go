// Package torture is for tests that can run for longer than anyone waits for `make test`: `make torture` asks them to,
// and makes a table of their reports.
package torture

import (
	"fmt"
	"os"
	"testing"
)

// Environment is the variable that asks for the long tests. Its value is the file of the table.
const Environment = "STOCHDEPTH_TORTURE"

// Asked reports whether the long tests are asked for.
func Asked() bool { return os.Getenv(Environment) != "" }

// Report writes how many trials of one kind there were and how many of them failed: to the test's log and, in a long
// test, as a line of the table.
func Report(t testing.TB, what string, trials, failed int) {
	t.Helper()
	t.Logf("%s: %d trials, %d survived, %d failed", what, trials, trials-failed, failed)
	if !Asked() {
		return
	}
	file, err := os.OpenFile(os.Getenv(Environment), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		t.Errorf("the table of trials: %v", err)
		return
	}
	defer file.Close()
	if _, err := fmt.Fprintf(file, "%s\t%d\t%d\t%d\n", what, trials, trials-failed, failed); err != nil {
		t.Errorf("the table of trials: %v", err)
	}
}
