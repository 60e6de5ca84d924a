package bench

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"strconv"
	"text/tabwriter"
)

// Join makes one measurement from several of the same case: the median of their medians, and the extremes of all.
func Join(all []Measurement) Measurement {
	joined := all[0]
	var medians, perBlock, evaluation, compile, cached []float64
	joined.Steps = 0
	for _, m := range all {
		medians, compile = append(medians, m.StepMS), append(compile, m.CompileS)
		cached = append(cached, m.CachedS)
		perBlock, evaluation = append(perBlock, m.BlockMS), append(evaluation, m.Evaluation)
		joined.Steps += m.Steps
		joined.LowMS, joined.HighMS = min(joined.LowMS, m.LowMS), max(joined.HighMS, m.HighMS)
		joined.PeakMB = max(joined.PeakMB, m.PeakMB)
	}
	joined.BlockMS, joined.Evaluation = Median(perBlock), Median(evaluation)
	joined.StepMS, joined.CompileS, joined.CachedS = Median(medians), Median(compile), Median(cached)
	return joined
}

// GFLOP is the work of a step with the paper's network and images, in 10^9 multiplications and additions of direct
// convolutions: three times the forward pass of the stem and the open blocks. Winograd's method needs fewer, so its rate may
// exceed the machine's.
func (m Measurement) GFLOP() float64 {
	const pixels = paperSide * paperSide
	n := float64(m.Blocks) / 3
	conv := func(pixels, in, out float64) float64 { return 2 * 9 * pixels * in * out }
	all := n*2*conv(pixels, 16, 16) + conv(pixels/4, 16, 32) + (2*n-1)*conv(pixels/4, 32, 32) +
		conv(pixels/16, 32, 64) + (2*n-1)*conv(pixels/16, 64, 64)
	forward := conv(pixels, 3, 16) + all*m.Open/float64(m.Blocks)
	return 3 * forward * float64(m.Batch) / 1e9
}

// Table writes the measurements as text. The last column is the rate of work as a fraction of the rate of the
// machine's matrix product.
func (r *Record) Table(w io.Writer) error {
	fmt.Fprintf(w, "%s, %s; commit %s, %s; matrix product %.0f GFLOP/s\n\n", r.Machine, r.Device, r.Commit, r.Date, r.PeakGFLOPS)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "system\tmode\ttype\tlayers\tbatch\tdeath rate\topen\tn\tstep ms\t(low\thigh)\tper open block\t"+
		"images/s\ttest images/s\tcompile s\tcached s\tpeak GB\tof peak\t")
	for _, m := range r.Results {
		rate := fmt.Sprintf("%g", m.DeathRate)
		if m.Fixed {
			rate = "fixed"
		}
		fraction, mode := "-", m.Mode
		if what := cmp.Or(m.Network, m.Block); what != "" {
			mode += ", " + what
		}
		mode += imagesOf(m.ImageSize)
		if r.PeakGFLOPS > 0 && m.Network == "" && m.Block == "" && m.ImageSize == 0 {
			fraction = fmt.Sprintf("%.2f", m.GFLOP()/m.StepMS*1e3/r.PeakGFLOPS)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%d\t%s\t%.4g/%d\t%d\t%.0f\t%.0f\t%.0f\t%s\t%.0f\t%s\t%.1f\t%.1f\t%.2f\t%s\t\n",
			m.System, mode, m.DType, m.Layers, m.Batch, rate, m.Open, m.Blocks, m.Steps, m.StepMS, m.LowMS, m.HighMS,
			orDash(m.PerOpenBlock(), 2), m.ImagesPerSecond(), orDash(m.Evaluation, 0), m.CompileS, m.CachedS, m.PeakMB/1e3,
			fraction)
	}
	return t.Flush()
}

// orDash writes x with the given number of digits after the point, or a dash if it is not known.
func orDash(x float64, digits int) string {
	if !(x > 0) || math.IsInf(x, 0) {
		return "-"
	}
	return strconv.FormatFloat(x, 'f', digits, 64)
}
