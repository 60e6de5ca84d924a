package notebook

import "os"

// EndCell ends the cell without an error, where the reason is no failure, such as a training that its reader stopped. Print
// the reason before. It is meant for notebooks with a reader ([HasReader]); elsewhere return an error.
func EndCell() {
	flush()
	os.Exit(0)
}
