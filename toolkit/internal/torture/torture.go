// Package torture is for tests that can attack for longer than anyone waits for `make test`: `make torture` asks them to,
// and makes a table of what they tell.
package torture

import (
	"fmt"
	"os"
	"testing"
)

// Environment is the variable that asks for the long attacks. It names the file of the table.
const Environment = "STOCHDEPTH_TORTURE"

// Asked reports whether the attacks are to be long.
func Asked() bool { return os.Getenv(Environment) != "" }

// Report says how many trials there were of what and how many of them failed, in the test's log and, where the attacks
// are long, as a line of the table.
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
