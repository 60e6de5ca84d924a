package bench

import (
	"cmp"
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
	Networks   []string // of recipes.Networks, instead of Blocks and Layers
	ImageSizes []int    // sides of the images, in pixels; none: 32, the paper's
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
	if what := cmp.Or(c.Network, c.Block); what != "" {
		mode += ", " + what
	}
	return fmt.Sprintf("%s %s, %d layers%s, minibatch of %d, %s, %s", system, mode, c.Layers, imagesOf(c.ImageSize), c.Batch,
		c.DType, open)
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

// peersBlocks are the blocks of PyTorch's program beside the paper's.
var peersBlocks = []string{depth.Preactivation, depth.Bottleneck, depth.OriginalBottleneck, depth.Transformer}

// Cases lists the measurements of the plan. If one of them is not possible, it returns an error in one sentence.
func (p Plan) Cases() ([]Case, error) {
	if p.Recompute && !slices.Contains(p.Forms, "survivors") {
		return nil, errors.New("--recompute needs --form survivors, or survivors,resnet: the textbook form keeps all that its " +
			"gradient needs")
	}
	peers := make([]*Peer, len(p.Peers))
	for i, text := range p.Peers {
		var err error
		if peers[i], err = ParsePeer(text); err != nil {
			return nil, err
		}
	}
	networks, err := p.networks()
	if err != nil {
		return nil, err
	}
	var cases []Case
	for _, kinds := range networks {
		for _, batch := range p.Batches {
			for _, dtype := range p.DTypes {
				for _, form := range p.Forms {
					for _, spec := range kinds {
						spec.Batch, spec.DType, spec.Form, spec.Steps = batch, dtype, form, p.Steps
						cases = append(cases, p.ours(spec)...)
					}
				}
			}
			for _, peer := range peers {
				for _, spec := range kinds {
					if peer.System == "jax" && (spec.Network != "" || spec.Block != "") {
						continue // its program has the paper's networks only
					}
					if spec.Block != "" && !slices.Contains(peersBlocks, spec.Block) {
						return nil, fmt.Errorf("PyTorch's program has no block %q: leave it or --peers out", spec.Block)
					}
					spec.Batch, spec.Form, spec.Steps = batch, "survivors", p.Steps
					for _, spec.DType = range peersDTypes(p.DTypes) {
						for i, rate := range p.DeathRates {
							spec.DeathRate, spec.Evaluate = rate, p.Evaluate && i == 0
							cases = append(cases, Case{Peer: peer, Spec: spec})
						}
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

// networks lists the plan's networks, in specifications that say nothing else: for each depth and side of images those of all
// kinds of blocks.
func (p Plan) networks() (list [][]Spec, err error) {
	paper, blocks, depths := recipes.Default(), p.Blocks, p.Layers
	if len(blocks) == 0 {
		blocks = []string{paper.Block}
	}
	layersOf := func(_ string, layers int) (int, error) { return layers, nil }
	if len(p.Residual) > 0 {
		depths, layersOf = p.Residual, depth.LayersOf
	}
	if len(p.Networks) > 0 {
		depths = nil
	}
	var all [][]Spec // for images of any side
	for _, name := range p.Networks {
		recipe := recipes.Default()
		if err := recipe.Set("network", name); err != nil {
			return nil, err
		}
		all = append(all, []Spec{{Network: name, Layers: recipe.Depth}})
	}
	for _, deep := range depths {
		var kinds []Spec
		for _, block := range blocks {
			layers, err := layersOf(block, deep)
			if err != nil {
				return nil, err
			}
			if block == paper.Block {
				block = "" // as in records from the time when there were no others
			}
			kinds = append(kinds, Spec{Block: block, Layers: layers})
		}
		all = append(all, kinds)
	}
	if len(p.ImageSizes) == 0 {
		return all, nil
	}
	for _, kinds := range all {
		for _, side := range p.ImageSizes {
			if side == paperSide {
				side = 0 // likewise
			}
			sized := slices.Clone(kinds)
			for i := range sized {
				sized[i].ImageSize = side
			}
			list = append(list, sized)
		}
	}
	return list, nil
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
