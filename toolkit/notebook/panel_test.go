package notebook

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func testPanel() (p *panel, asked, answered *atomic.Int32) {
	asked, answered = new(atomic.Int32), new(atomic.Int32)
	p = &panel{messages: make(chan message, 8), gone: make(chan struct{}), closed: make(chan struct{}),
		again: func() { asked.Add(1) }, answer: func() { answered.Add(1) }, last: map[string]int{}, heard: time.Now()}
	return p, asked, answered
}

// GoNB may change the order of messages: an old message never undoes a newer one of its control or of another.
func TestPanelDropsOldMessages(t *testing.T) {
	p, _, answered := testPanel()
	for _, text := range []string{"0 beat 0", "1 0 0.3", "3 0 0.5", "2 0 0.4", "1 1 uniform", "0 beat 0", "nonsense", "x 0 0.7",
		"1 done Done it"} {
		p.receive(text)
	}
	close(p.messages)
	var got []message
	for m := range p.messages {
		got = append(got, m)
	}
	require.Equal(t, []message{{"0", "0.3"}, {"0", "0.5"}, {"1", "uniform"}, {"done", "Done it"}}, got)
	require.EqualValues(t, 2, answered.Load(), "every beat")
}

// A page that sends beats is there; a page that stops sending them is gone, and one that never sent any is asked once more.
func TestPanelSeesThatThePageIsGone(t *testing.T) {
	const every, patience = 5 * time.Millisecond, 400 * time.Millisecond
	ended := func(p *panel) bool {
		select {
		case <-p.gone:
			return true
		default:
			return false
		}
	}
	p, asked, _ := testPanel()
	go p.watch(every, patience)
	for range 20 {
		p.receive("0 beat 0")
		time.Sleep(patience / 10)
	}
	require.False(t, ended(p))
	require.Zero(t, asked.Load())
	require.Eventually(t, func() bool { return ended(p) }, 20*time.Second, every)

	p, asked, _ = testPanel()
	go p.watch(every, patience)
	require.Eventually(t, func() bool { return ended(p) }, 20*time.Second, every)
	require.EqualValues(t, 1, asked.Load())

	p, _, answered := testPanel()
	close(p.closed)
	p.watch(every, patience)
	p.receive("0 beat 0")
	require.False(t, ended(p), "nobody waits for it any more")
	require.Zero(t, answered.Load(), "the page learns from the silence that the panel is closed")
}
