package bench

import (
	"cmp"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"stochdepth/toolkit/internal/say"
	"stochdepth/toolkit/runs/recipes"
)

// Speed is the table by [Markdown] of the records in folder whose names match a pattern.
func Speed(folder, pattern string) (string, error) {
	records, names, err := List(folder)
	if err != nil {
		return "", err
	}
	var chosen []*Record
	for _, name := range names {
		match, err := filepath.Match(pattern, name)
		if err != nil {
			return "", fmt.Errorf("the records %q: %w", pattern, err)
		}
		if match && len(records[name].Results) > 0 {
			chosen = append(chosen, records[name])
		}
	}
	if len(chosen) == 0 {
		return "", fmt.Errorf("there are no records %s in %s: measure with make bench-peers, or name others", pattern, folder)
	}
	slices.SortStableFunc(chosen, func(a, b *Record) int { // their names sort 110 layers before 20
		return byNetwork(a.Results[0], b.Results[0])
	})
	return Markdown(chosen), nil
}

// byNetwork compares for sorting: the paper's networks come first, then depth, side of the images and minibatch count.
func byNetwork(a, b Measurement) int {
	return cmp.Or(cmp.Compare(min(1, len(a.Network)), min(1, len(b.Network))), cmp.Compare(a.Layers, b.Layers),
		cmp.Compare(a.ImageSize, b.ImageSize), cmp.Compare(a.Batch, b.Batch))
}

// systems lists the systems that are compared, with their names in the table, in its order.
var systems = []struct{ key, name string }{{"stochdepth", "**stochdepth**"}, {"pytorch", "PyTorch"}, {"jax", "JAX"}}

// Markdown is a table that compares the programs in the records. It has a line for each network, death rate and system, in
// the system's mode with the fastest median step. Measurements with a fixed number of open blocks are left out, and so is
// the memory where a GPU computes, because only the host's memory is measured.
func Markdown(records []*Record) string {
	var b strings.Builder
	evaluated := slices.ContainsFunc(records, func(r *Record) bool {
		return slices.ContainsFunc(r.Results, func(m Measurement) bool { return m.Evaluation > 0 })
	})
	onGPU := slices.ContainsFunc(records, (*Record).onGPU)
	line := func(cells, memory, evaluation string) {
		if !onGPU {
			cells += " | " + memory
		}
		if evaluated {
			cells += " | " + evaluation
		}
		fmt.Fprintf(&b, "| %s |\n", cells)
	}
	line("Layers | Minibatch | Death rate | Program | Step (fastest) | Blocks open | Per open block | *n*",
		"Memory", "Test images per second")
	line("--- | --- | --- | --- | --- | --- | --- | ---", "---", "---")
	var conditions []string
	for _, r := range records {
		written := Measurement{}
		for _, m := range r.fastest() {
			layers, batch, rate := fmt.Sprint(m.Layers), fmt.Sprint(m.Batch), fmt.Sprintf("%g", m.DeathRate)
			if m.Network != "" {
				layers = m.Network
			}
			layers += imagesOf(m.ImageSize)
			if byNetwork(m, written) == 0 {
				layers, batch = "", ""
				if m.DeathRate == written.DeathRate {
					rate = ""
				}
			}
			written = m
			line(fmt.Sprintf("%s | %s | %s | %s | %s (%s) ms | %.4g of %d | %s ms | %d", layers, batch, rate, m.title(),
				significant(m.StepMS), significant(m.LowMS), m.Open, m.Blocks, significant(m.PerOpenBlock()), m.Steps),
				fmt.Sprintf("%.1f GB", m.PeakMB/1e3), orDash(m.Evaluation, 0))
		}
		if c := r.conditions(); !slices.Contains(conditions, c) {
			conditions = append(conditions, c)
		}
	}
	fmt.Fprintf(&b, "\nMedians of *n* steps, in turn; %s.\n", strings.Join(conditions, "; "))
	return b.String()
}

// fastest lists the measurements of the table, in its order.
func (r *Record) fastest() (list []Measurement) {
	order := func(m Measurement) int {
		return slices.IndexFunc(systems, func(s struct{ key, name string }) bool { return s.key == m.System })
	}
	for _, m := range r.Results {
		if m.Fixed || order(m) < 0 {
			continue
		}
		i := slices.IndexFunc(list, func(o Measurement) bool {
			return o.System == m.System && o.DeathRate == m.DeathRate && o.sameNetwork(m)
		})
		switch {
		case i < 0:
			list = append(list, m)
		case m.StepMS < list[i].StepMS:
			list[i] = m
		}
	}
	types := recipes.Choices("dtype")
	slices.SortStableFunc(list, func(a, b Measurement) int {
		return cmp.Or(byNetwork(a, b), cmp.Compare(a.DeathRate, b.DeathRate),
			cmp.Compare(slices.Index(types, a.DType), slices.Index(types, b.DType)), cmp.Compare(order(a), order(b)))
	})
	return list
}

// title is the program's name in the table, with its mode if the system has several.
func (m Measurement) title() string {
	i := slices.IndexFunc(systems, func(s struct{ key, name string }) bool { return s.key == m.System })
	title := systems[i].name
	if m.System != "stochdepth" || m.Mode != "survivors" {
		title += ", " + strings.ReplaceAll(m.Mode, "_", " ")
	}
	if m.DType != "float32" {
		title += ", " + m.DType
	}
	return title
}

// onGPU reports whether a CUDA device computed.
func (r *Record) onGPU() bool { return strings.Contains(r.Device, "cuda") }

// conditions lists machine, versions, commit and day.
func (r *Record) conditions() string {
	text := r.Machine
	if r.onGPU() {
		text += ", " + r.Device
	}
	for _, s := range systems[1:] {
		if version := r.Versions[s.key]; version != "" {
			text += ", " + s.name + " " + version
		}
	}
	return fmt.Sprintf("%s, commit %s, %s", text, say.ShortCommit(r.Commit), r.Date[:min(10, len(r.Date))])
}

// significant writes x with at least three significant digits.
func significant(x float64) string {
	switch {
	case x >= 100:
		return fmt.Sprintf("%.0f", x)
	case x >= 10:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.2f", x)
}

// MarkdownOfBlocks is a table of the kinds of blocks. The record open has the time of a step with no block open and with
// all blocks open, also PyTorch's if it was timed at death rate 0, and the record compile the compile times with the fewest
// and with the most blocks.
func MarkdownOfBlocks(open, compile *Record) string {
	lines := [][]string{{"Block", "Blocks", "None open", "All open", "PyTorch", "Ratio", "Compile, shallow", "Compile, deep"}}
	step := func(m Measurement) string {
		return fmt.Sprintf("%s (%s) ms", significant(m.StepMS), significant(m.LowMS))
	}
	compiled := func(m Measurement) string { return fmt.Sprintf("%.1f s (%d blocks)", m.CompileS, m.Blocks) }
	var none, last Measurement
	for _, m := range open.Results {
		if m.Fixed && m.Open == 0 {
			none = m
		}
		if m.System != "stochdepth" || !m.Fixed || m.Open < float64(m.Blocks) {
			continue
		}
		last = m
		shallow, deep := compile.depthsOf(m.Block)
		pytorch, ratio := "–", "–"
		if peer, ok := open.pytorchOf(m.Block); ok {
			pytorch, ratio = step(peer), fmt.Sprintf("%.2f", m.StepMS/peer.StepMS)
		}
		lines = append(lines, []string{"`" + cmp.Or(m.Block, recipes.Default().Block) + "`", fmt.Sprint(m.Blocks), step(none), step(m),
			pytorch, ratio, compiled(shallow), compiled(deep)})
	}
	return fmt.Sprintf("%s\nMedians of %d steps (fastest), minibatches of %d; %s. Compiling for minibatches of %d; %s.\n",
		say.MarkdownTable(lines), last.Steps, last.Batch, open.conditions(), compile.Results[0].Batch, compile.conditions())
}

// pytorchOf returns PyTorch's measurement with all blocks of a kind open, in its fastest mode, if there is one.
func (r *Record) pytorchOf(block string) (m Measurement, ok bool) {
	for _, other := range r.Results {
		if other.System == "pytorch" && other.Block == block && other.DeathRate == 0 && (!ok || other.StepMS < m.StepMS) {
			m, ok = other, true
		}
	}
	return m, ok
}

// depthsOf returns the measurements with the fewest and with the most blocks of one kind.
func (r *Record) depthsOf(block string) (shallow, deep Measurement) {
	for _, m := range r.Results {
		if m.Block != block {
			continue
		}
		if shallow.Blocks == 0 || m.Blocks < shallow.Blocks {
			shallow = m
		}
		if m.Blocks > deep.Blocks {
			deep = m
		}
	}
	return shallow, deep
}
