package notebook

import "os"

// EndCell ends the cell and calls it done, without an error: for what is no failure, such as a training that its reader
// stopped. Say so before. It is meant for where [HasReader] holds; elsewhere return an error.
func EndCell() {
	flush()
	os.Exit(0)
}
