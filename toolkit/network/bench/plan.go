package bench

import (
	"errors"
	"fmt"
	"slices"

	"stochdepth/toolkit/depth"
	"stochdepth/toolkit/runs/recipes"
)

// Plan says what a session measures: every combination of the values in its lists.
type Plan struct {
	Blocks     []string // kinds of blocks; none: basic, the paper's
	Layers     []int    // 6N+2 with the paper's blocks, see depth.BlocksOf
	Residual   []int    // numbers of residual blocks, instead of Layers: the same for all kinds
	Batches    []int    // images in a minibatch
	DTypes     []string
	Forms      []string
	DeathRates []float64
	Open       bool     // also with 0, 1/4, 1/2, 3/4 and all blocks open in every step
	Recompute  bool     // also with the blocks' convolutions computed again for the gradient
	Evaluate   bool     // also evaluations, at the first death rate
	Peers      []string // other frameworks' programs that take the same steps, see ParsePeer
	Steps      int      // timed steps in each measurement
}

// Case is one measurement of a plan: of our own network, or of a peer's.
type Case struct {
	Spec
	Peer *Peer
}

// Name says what is measured, in one line.
func (c Case) Name() string {
	system, mode := c.program()
	open := fmt.Sprintf("death rate %g", c.DeathRate)
	if c.Fixed {
		open = fmt.Sprintf("%d blocks open", c.Open)
	}
	if c.Block != "" {
		mode += ", " + c.Block
	}
	return fmt.Sprintf("%s %s, %d layers, minibatch of %d, %s, %s", system, mode, c.Layers, c.Batch, c.DType, open)
}

// program returns System and Mode of the measurement.
func (c Case) program() (system, mode string) {
	switch {
	case c.Peer != nil:
		return c.Peer.System, c.Peer.Mode
	case c.Recompute:
		return "stochdepth", c.Form + ", recomputed"
	}
	return "stochdepth", c.Form
}

// Cases lists the measurements of the plan. If one of them is not possible, it returns an error in one sentence.
func (p Plan) Cases() ([]Case, error) {
	peers := make([]*Peer, len(p.Peers))
	for i, text := range p.Peers {
		var err error
		if peers[i], err = ParsePeer(text); err != nil {
			return nil, err
		}
	}
	blocks := p.Blocks
	if len(blocks) == 0 {
		blocks = []string{recipes.Default().Block}
	}
	if len(peers) > 0 && !slices.Equal(blocks, []string{recipes.Default().Block}) {
		return nil, errors.New("PyTorch's and JAX's programs have the paper's block only: leave --block or --peers out")
	}
	depths, layersOf := p.Layers, func(_ string, layers int) (int, error) { return layers, nil }
	if len(p.Residual) > 0 {
		depths, layersOf = p.Residual, depth.LayersOf
	}
	var cases []Case
	for _, deep := range depths {
		for _, batch := range p.Batches {
			for _, dtype := range p.DTypes {
				for _, form := range p.Forms {
					for _, block := range blocks {
						layers, err := layersOf(block, deep)
						if err != nil {
							return nil, err
						}
						if block == recipes.Default().Block {
							block = "" // as in records from the time when there were no others
						}
						spec := Spec{Block: block, Layers: layers, Batch: batch, DType: dtype, Form: form, Steps: p.Steps}
						cases = append(cases, p.ours(spec)...)
					}
				}
			}
			for _, peer := range peers {
				layers, err := layersOf(recipes.Default().Block, deep)
				if err != nil {
					return nil, err
				}
				for _, dtype := range peer.dtypes(p.DTypes) {
					for i, rate := range p.DeathRates {
						cases = append(cases, Case{Peer: peer, Spec: Spec{Layers: layers, Batch: batch, DType: dtype,
							Form: "survivors", Steps: p.Steps, DeathRate: rate, Evaluate: p.Evaluate && i == 0}})
					}
				}
			}
		}
	}
	for _, c := range cases {
		if err := c.Check(); err != nil {
			return nil, err
		}
	}
	return cases, nil
}

// ours lists the measurements of our own network.
func (p Plan) ours(spec Spec) (cases []Case) {
	for i, rate := range p.DeathRates {
		spec.DeathRate, spec.Evaluate = rate, p.Evaluate && i == 0
		cases = append(cases, Case{Spec: spec})
		if p.Recompute && spec.Form == "survivors" {
			again := spec
			again.Recompute = true
			cases = append(cases, Case{Spec: again})
		}
	}
	if p.Open {
		spec.DeathRate, spec.Evaluate, spec.Fixed = 0, false, true
		blocks := spec.blocks()
		for i := range 5 {
			spec.Open = (blocks*i + 2) / 4
			cases = append(cases, Case{Spec: spec})
		}
	}
	return cases
}
