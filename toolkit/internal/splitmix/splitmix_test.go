package splitmix

import "testing"

// The first numbers of SplitMix64 from the state 0, as published with it.
func TestMix(t *testing.T) {
	state := uint64(0)
	for _, want := range []uint64{0xe220a8397b1dcdaf, 0x6e789e6aa1b965f4, 0x06c45d188009454f} {
		if got := Mix(state); got != want {
			t.Errorf("Mix(%#x) = %#x, want %#x", state, got, want)
		}
		state += 0x9e3779b97f4a7c15
	}
}
