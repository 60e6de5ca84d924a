//go:build !linux

package sweep

import "os/exec"

// usableCPUs is not known here.
func usableCPUs() []int { return nil }

// startOn starts the command on all processors.
func startOn(cmd *exec.Cmd, _ []int) error { return cmd.Start() }
