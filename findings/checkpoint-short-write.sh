#!/usr/bin/env bash
# GoMLX v0.28.4: a checkpoint whose values could not be written is saved without
# an error.
#
# checkpoint.Handler.Save writes the variables to a file, and where a write fails
# it wraps another error, which is nil: the failure is lost. Here the limit on the
# size of files (as ulimit -f sets it) ends the write. Save returns nil,
# and the file is short; loading it fails later, when the good checkpoint before
# it may be gone.
#
# Instead: compare the length of the .bin file with the bytes of all variables
# after each Save.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

go_program github.com/gomlx/gomlx@v0.28.4 github.com/gomlx/compute@v0.1.6 <<'GO'
package main

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/gomlx/gomlx/core/tensors"
	"github.com/gomlx/gomlx/ml/model"
	"github.com/gomlx/gomlx/ml/model/checkpoint"
)

func main() {
	signal.Ignore(syscall.SIGXFSZ)
	store := model.NewStore()
	if _, err := store.CreateVariable("/w", tensors.FromValue(make([]float64, 100_000))); err != nil {
		panic(err)
	}
	handler, err := checkpoint.Build(store).Dir("saved").WithCompression(checkpoint.BinUncompressed).Done()
	if err != nil {
		panic(err)
	}
	limit := syscall.Rlimit{Cur: 51_200, Max: 51_200}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		panic(err)
	}
	fmt.Println("Save reports an error:", handler.Save() != nil)
	paths, _ := filepath.Glob("saved/*.bin")
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			panic(err)
		}
		fmt.Println("the file has all 800000 bytes:", info.Size() >= 800_000)
	}
}
GO
seen=$(./program)
verdict "Save reports an error: true" \
	"Save reports an error: false
the file has all 800000 bytes: false" "$seen"
