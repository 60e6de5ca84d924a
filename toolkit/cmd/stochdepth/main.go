// Command stochdepth trains residual networks with stochastic depth and manages their runs, data and figures. Package
// commands has its commands, so that a program of your own may have them too: see ../example.
package main

import "stochdepth/toolkit/cmd/commands"

func main() { commands.Main() }
