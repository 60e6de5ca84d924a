package optimizer

import (
	"math"

	. "github.com/gomlx/gomlx/core/graph"
)

// AdamW is Adam with decoupled weight decay (Loshchilov and Hutter 2019), as in PyTorch. A variable w moves by its gradient g
// in its t-th update:
//
//	m <- b1 m + (1 - b1) g;  v <- b2 v + (1 - b2) g^2
//	w <- w - rate (decay w + m/(1 - b1^t) / (sqrt(v/(1 - b2^t)) + epsilon))
//
// GoMLX's Adam computes the same, but it decays all variables or none (by the name adamw: none), and it cannot leave a closed
// block's moments alone.
type AdamW struct {
	Betas []float64 // b1 and b2; nil: 0.9 and 0.999
}

const epsilon = 1e-8 // PyTorch's default

func (a AdamW) update(s *state, w, gradient, rate *Node, decay float64) *Node {
	beta1, beta2 := 0.9, 0.999 // PyTorch's defaults
	if a.Betas != nil {
		beta1, beta2 = a.Betas[0], a.Betas[1]
	}
	first := s.next("moment1", func(old *Node) *Node { return Add(MulScalar(old, beta1), MulScalar(gradient, 1-beta1)) })
	second := s.next("moment2", func(old *Node) *Node { return Add(MulScalar(old, beta2), MulScalar(Square(gradient), 1-beta2)) })
	updates := s.count("updates")
	corrected := func(moment *Node, beta float64) *Node { // 1 - beta^t, in float32 as exact as the moment
		return Div(moment, Neg(Expm1(MulScalar(updates, math.Log(beta)))))
	}
	step := Div(corrected(first, beta1), AddScalar(Sqrt(corrected(second, beta2)), epsilon))
	return Sub(w, Mul(rate, Add(MulScalar(w, decay), step)))
}
