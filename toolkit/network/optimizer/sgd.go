package optimizer

import . "github.com/gomlx/gomlx/core/graph"

// SGD is stochastic gradient descent with Nesterov momentum, as the authors' code uses it (torch/optim's sgd). A variable w
// moves by its gradient g:
//
//	g' = g + decay w;  v <- momentum v + g';  w <- w - rate (g' + momentum v)
type SGD struct {
	Momentum float64 // 0.9 in the paper
}

func (r SGD) update(s *state, w, gradient, rate *Node, decay float64) *Node {
	decayed := Add(gradient, MulScalar(w, decay))
	velocity := s.next("velocity", func(old *Node) *Node { return Add(MulScalar(old, r.Momentum), decayed) })
	return Sub(w, Mul(rate, Add(decayed, MulScalar(velocity, r.Momentum))))
}
