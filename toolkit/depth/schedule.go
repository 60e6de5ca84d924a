package depth

// Schedule says how the survival probabilities change while a network trains. In the paper they do not
// (Steady). The other kinds come from later work:
//
//   - Ramp closes nothing at first, then more and more blocks over the first Fraction of the steps, until
//     the probabilities are p_l: p_l(t) = 1 - (1 - p_l) min(1, t/(Fraction T)). This is the
//     "drop_warmup" of MosaicML's Composer.
//   - Early closes blocks only in the first Fraction of the steps, Late only after it ("early" and
//     "late" stochastic depth of Liu et al. 2023, "Dropout Reduces Underfitting", arXiv 2303.01500).
//   - Fall begins with p_l and closes less and less, until after the first Fraction of the steps all blocks stay open:
//     p_l(t) = 1 - (1 - p_l) max(0, 1 - t/(Fraction T)). This is the linear form of their early stochastic depth.
//
// [RegisterSchedule] adds others. At test a branch is scaled by the probabilities of the last training step (Eq. 5).
type Schedule struct {
	Kind     ScheduleKind
	Fraction float64 // of the training steps, in (0, 1]; not used by Steady
}

// ScheduleKind names a schedule.
type ScheduleKind string

// The kinds of schedules. Steady is called "constant" in recipes because the probabilities never change;
// this does not mean a network of constant depth.
const (
	Steady ScheduleKind = "constant"
	Ramp   ScheduleKind = "ramp"
	Early  ScheduleKind = "early"
	Late   ScheduleKind = "late"
	Fall   ScheduleKind = "fall"
)

// ScheduleKinds lists the kinds, as text.
func ScheduleKinds() []string {
	return []string{string(Steady), string(Ramp), string(Early), string(Late), string(Fall)}
}

// share returns the factor, in 0..1, that multiplies the death rates 1 - p_l at a step, counted from 0, of steps in all.
func (s Schedule) share(step, steps int64) float64 {
	at := float64(step) / (s.Fraction * float64(steps))
	switch s.Kind {
	case Ramp:
		return min(1, at)
	case Fall:
		return max(0, 1-at)
	case Early:
		if at >= 1 {
			return 0
		}
	case Late:
		if at < 1 {
			return 0
		}
	default:
		if own, ok := ownSchedules.Find(string(s.Kind)); ok {
			return own(float64(step) / float64(steps))
		}
	}
	return 1
}

// At returns the survival probabilities at a step, counted from 0, of a training of steps steps, where the
// rule gives the probabilities p.
func (s Schedule) At(p Survival, step, steps int64) Survival {
	switch share := s.share(step, steps); share {
	case 1:
		return p
	default:
		now := make(Survival, len(p))
		for i, v := range p {
			now[i] = 1 - (1-v)*share
		}
		return now
	}
}

// ExpectedOpen returns the expected number of open blocks in a minibatch, averaged over the whole
// training: what a step costs.
func (s Schedule) ExpectedOpen(p Survival) float64 {
	all, open := float64(len(p)), p.ExpectedOpen()
	switch s.Kind {
	case Ramp: // the mean share is 1 - Fraction/2
		return all - (all-open)*(1-s.Fraction/2)
	case Early:
		return all - (all-open)*s.Fraction
	case Late:
		return all - (all-open)*(1-s.Fraction)
	case Fall:
		return all - (all-open)*s.Fraction/2
	}
	if own, ok := ownSchedules.Find(string(s.Kind)); ok {
		return all - (all-open)*meanShare(own)
	}
	return open
}
