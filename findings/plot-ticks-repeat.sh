#!/usr/bin/env bash
# gonum.org/v1/plot v0.17.0: the default ticks of an axis may have wrong labels, and
# two ticks the same label.
#
# Where ticks are less than 0.1 apart, DefaultTicks counts the decimals it needs and
# hands the count to the format 'g', which takes it for the number of all digits. On an
# axis from 3 to 3.1 the tick at 3.05 says "3", like the one at 3.
#
# Instead: write a plot.Ticker that formats labels by the distance between ticks.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

go_program gonum.org/v1/plot@v0.17.0 <<'GO'
package main

import (
	"fmt"

	"gonum.org/v1/plot"
)

func main() {
	for _, axis := range [][2]float64{{3, 3.1}, {0.94, 1.04}} {
		fmt.Print("from ", axis[0], " to ", axis[1], ":")
		for _, tick := range (plot.DefaultTicks{}).Ticks(axis[0], axis[1]) {
			if !tick.IsMinor() {
				fmt.Printf(" %.4g says %q;", tick.Value, tick.Label)
			}
		}
		fmt.Println()
	}
	wrong, all := 0, 0
	for from := range 1000 {
		for to := from + 1; to <= 1000; to++ {
			all++
			seen := map[string]bool{}
			for _, tick := range (plot.DefaultTicks{}).Ticks(float64(from)/100, float64(to)/100) {
				if tick.IsMinor() {
					continue
				}
				if seen[tick.Label] {
					wrong++
					break
				}
				seen[tick.Label] = true
			}
		}
	}
	fmt.Println("axes between 0 and 10, in hundredths, where two ticks say the same:", wrong, "of", all)
}
GO
seen=$(./program)
verdict 'from 3 to 3.1: 3 says "3.00"; 3.05 says "3.05"; 3.1 says "3.10";
from 0.94 to 1.04: 0.96 says "0.96"; 1 says "1.00"; 1.04 says "1.04";
axes between 0 and 10, in hundredths, where two ticks say the same: 0 of 500500' \
	'from 3 to 3.1: 3 says "3"; 3.05 says "3"; 3.1 says "3.1";
from 0.94 to 1.04: 0.96 says "0.96"; 1 says "1"; 1.04 says "1";
axes between 0 and 10, in hundredths, where two ticks say the same: 15074 of 500500' "$seen"
