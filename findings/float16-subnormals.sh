#!/usr/bin/env bash
# github.com/gomlx/compute v0.1.6, package dtypes/float16: FromFloat32 turns every
# subnormal half-precision number into 0.
#
# Half precision has 1023 positive numbers below 2^-14, about 0.00006, down to
# 2^-24. Float32() reads all of them, FromFloat32 writes none, although it has a
# branch for them: this branch shifts the mantissa by 15 bits too many. So a tensor that
# is read, widened and narrowed again loses its small values, such as gradients,
# and constants like 1e-5 are 0.
#
# Instead: convert on XLA (ConvertDType), or scale values before they become float16.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

go_program github.com/gomlx/compute@v0.1.6 <<'GO'
package main

import (
	"fmt"

	"github.com/gomlx/compute/dtypes/float16"
)

func main() {
	survive := func(from, to uint16) (n int) {
		for bits := from; bits <= to; bits++ {
			if float16.FromFloat32(float16.FromBits(bits).Float32()).Bits() == bits {
				n++
			}
		}
		return n
	}
	fmt.Println("FromFloat32(1e-5).Float32():", float16.FromFloat32(1e-5).Float32())
	fmt.Println("SmallestNonzero, to float32 and back:", float16.FromFloat32(float16.SmallestNonzero.Float32()).Float32())
	fmt.Println("subnormal numbers the same after float32 and back:", survive(0x0001, 0x03ff), "of 1023")
	fmt.Println("normal numbers the same after float32 and back:", survive(0x0400, 0x7bff), "of 30720")
}
GO
seen=$(./program)
verdict "FromFloat32(1e-5).Float32(): 1.001358e-05
SmallestNonzero, to float32 and back: 5.9604645e-08
subnormal numbers the same after float32 and back: 1023 of 1023
normal numbers the same after float32 and back: 30720 of 30720" \
	"FromFloat32(1e-5).Float32(): 0
SmallestNonzero, to float32 and back: 0
subnormal numbers the same after float32 and back: 0 of 1023
normal numbers the same after float32 and back: 30720 of 30720" "$seen"
