package depth

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
)

// Survival holds the survival probabilities p_1..p_L of a network's blocks; p_l is Survival[l-1].
type Survival []float64

// Linear returns the paper's linear decay rule (Eq. 4), p_l = 1 - (l/L)(1 - p_L), for L blocks and
// the death rate 1 - p_L of the last block. The first block can close too: p_0 = 1 belongs to the input.
func Linear(blocks int, deathRate float64) Survival {
	return decay(blocks, deathRate, 1, blocks)
}

// LinearFromZero returns the linear rule of most libraries, p_l = 1 - ((l-1)/(L-1)) (1 - p_L): timm's ResNet, ConvNeXt, ViT
// and Swin, torchvision's ConvNeXt and MViT, transformers and keras-hub. The first block never closes; a single one neither.
func LinearFromZero(blocks int, deathRate float64) Survival {
	return decay(blocks, deathRate, 0, blocks-1)
}

// LinearShort returns the linear rule of EfficientNets (timm, torchvision, Keras), p_l = 1 - ((l-1)/L) d: the first block
// never closes, and the last one less often than the nominal death rate d says.
func LinearShort(blocks int, deathRate float64) Survival {
	return decay(blocks, deathRate, 0, blocks)
}

// decay is p_l = 1 - (k/steps) d, where k counts the blocks from first on.
func decay(blocks int, deathRate float64, first, steps int) Survival {
	p := make(Survival, blocks)
	for i := range p {
		p[i] = 1 - float64(first+i)/float64(max(steps, 1))*deathRate
	}
	return p
}

// Stagewise returns the rule of TensorFlow's ResNets, in which all blocks of a group (a stage) have one probability: in the
// s-th of S groups 1 - ((s+1)/(S+1)) (1 - p_L), as if the layers before the first group were a group too. With four
// groups the death rates are 2/5, 3/5, 4/5 and all of 1 - p_L: official/vision/modeling/backbones/resnet.py of
// tf-models-official 2.20.0, also for ResNet-RS, and tf-keras 2.21.0's ResNetRS. A single group has the rule [Uniform].
//
// timm's calculate_drop_path_rates(..., stagewise=True) is not this rule, although its documentation says that all blocks of
// a stage have one rate: it returns the rates of [LinearFromZero], divided into a list for each stage (timm 1.0.31).
func Stagewise(groups []int, deathRate float64) Survival {
	p := make(Survival, 0, Total(groups))
	for i, blocks := range groups {
		p = append(p, Uniform(blocks, float64(i+2)/float64(len(groups)+1)*deathRate)...)
	}
	return p
}

// curves are the rules p_l = 1 - c(x) (1 - p_L) for x = (l-1)/(L-1), from 0 in the first block to 1 in the last one: those of
// torchtune 0.6 and LayerSkip (get_scale in their layer_dropout.py; LayerSkip's sigmoid ends at 0.993), and the square. The
// first block never closes, but for the sigmoid's, whose death rate is 0.0067 of the last one's.
var curves = map[string]func(x float64, blocks int) float64{
	"exponential": func(x float64, _ int) float64 { return math.Exp2(x) - 1 },
	"logarithmic": func(x float64, blocks int) float64 {
		return math.Log1p(x*float64(blocks-1)) / math.Log(float64(blocks))
	},
	"sigmoid": func(x float64, _ int) float64 {
		if x == 1 {
			return 1
		}
		return 1 / (1 + math.Exp(-10*(x-0.5)))
	},
	"sine":   func(x float64, _ int) float64 { return math.Sin(math.Pi / 2 * x) },
	"square": func(x float64, _ int) float64 { return x * x },
	"step":   func(x float64, _ int) float64 { return math.Floor(x) },
}

// Curves lists the names of the rules that bend the line of [LinearFromZero], for [Curve].
func Curves() []string { return slices.Sorted(maps.Keys(curves)) }

// Curve returns the rule of that name, one of [Curves]: p_l = 1 - c(x) (1 - p_L), where x runs from 0 in the first block to 1
// in the last one and c(x) is 2^x - 1 (exponential), ln(l) / ln(L) (logarithmic), 1 / (1 + e^(5 - 10x)) (sigmoid),
// sin(x pi/2) (sine), x^2 (square), or 0 in all blocks but the last one (step). A single block is the last one, as in
// torchtune. Any other name panics.
func Curve(name string, blocks int, deathRate float64) Survival {
	curve, p := curves[name], make(Survival, blocks)
	for i := range p {
		scale := 1.0
		if blocks > 1 {
			scale = curve(float64(i)/float64(blocks-1), blocks)
		}
		p[i] = 1 - scale*deathRate
	}
	return p
}

// Uniform returns the rule that gives every block the same survival probability, p_l = p_L.
func Uniform(blocks int, deathRate float64) Survival {
	return slices.Repeat(Survival{1 - deathRate}, blocks)
}

// Constant returns the survival probabilities of a network of constant depth: every p_l = 1.
func Constant(blocks int) Survival { return Uniform(blocks, 0) }

// Rules lists the names that [ByRule] knows.
func Rules() []string {
	return slices.Concat([]string{"linear", "linear-from-zero", "linear-short", "stagewise", "uniform"}, Curves(), []string{"list"})
}

// ByRule returns the survival probabilities for a rule's name, one of [Rules], in a network whose groups have these numbers
// of blocks, see [GroupsOf]. The rule "list" takes the given probabilities, one for each block.
func ByRule(rule string, groups []int, deathRate float64, list []float64) (Survival, error) {
	if !(deathRate >= 0 && deathRate < 1) {
		return nil, fmt.Errorf("death rate %g is outside [0, 1): it is 1 - p_L, "+
			"so 0.5 closes the last block in every other minibatch", deathRate)
	}
	blocks := Total(groups)
	if curves[rule] != nil {
		return Curve(rule, blocks, deathRate), nil
	}
	switch rule {
	case "linear":
		return Linear(blocks, deathRate), nil
	case "linear-from-zero":
		return LinearFromZero(blocks, deathRate), nil
	case "linear-short":
		return LinearShort(blocks, deathRate), nil
	case "stagewise":
		return Stagewise(groups, deathRate), nil
	case "uniform":
		return Uniform(blocks, deathRate), nil
	case "list":
		p := Survival(list)
		if len(p) != blocks {
			return nil, fmt.Errorf("the list has %d survival probabilities, the network has %d blocks: give one for each",
				len(p), blocks)
		}
		return p, p.Validate()
	}
	if own, ok := ownRules.Find(rule); ok {
		return ofOwnRule(rule, own, blocks, deathRate)
	}
	return nil, fmt.Errorf("unknown survival rule %q: use %s", rule, strings.Join(Rules(), ", "))
}

// Validate returns an error that names the first block whose probability is outside (0, 1].
func (p Survival) Validate() error {
	for i, v := range p {
		if !(v > 0 && v <= 1) {
			return fmt.Errorf("the survival probability of block %d is %g: it must be in (0, 1]", i+1, v)
		}
	}
	return nil
}

// IsConstant reports whether no block ever closes.
func (p Survival) IsConstant() bool {
	return !slices.ContainsFunc(p, func(v float64) bool { return v != 1 })
}

// ExpectedOpen returns the expected number of open blocks, E(L~) = sum of p_l (Section 3, "Expected
// network depth"). Under the linear rule with p_L = 0.5 it is (3L - 1)/4: 40.25 of 54 blocks.
func (p Survival) ExpectedOpen() float64 {
	var sum float64
	for _, v := range p {
		sum += v
	}
	return sum
}

// OpenDeviation returns the standard deviation of the number of open blocks in a minibatch. The gates
// are independent, so their variances p_l (1 - p_l) add up.
func (p Survival) OpenDeviation() float64 {
	var variance float64
	for _, v := range p {
		variance += v * (1 - v)
	}
	return math.Sqrt(variance)
}
