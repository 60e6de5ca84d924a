package progress

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// clock is a time that the test moves on.
type clock struct{ at time.Time }

func (c *clock) now() time.Time          { return c.at }
func (c *clock) advance(d time.Duration) { c.at = c.at.Add(d) }
func newClock() *clock                   { return &clock{time.Date(2016, 3, 30, 12, 0, 0, 0, time.UTC)} }
func lines(output *bytes.Buffer) []string {
	return strings.Split(strings.TrimSpace(output.String()), "\n")
}

func TestBarInALog(t *testing.T) {
	var output bytes.Buffer
	c := newClock()
	bar := newBar(2000, "training", "steps", &logged{w: &output}, c.now)
	for step := int64(1); step <= 2000; step++ { // 20 steps a second, 100 s in all
		c.advance(50 * time.Millisecond)
		bar.Set(step, "loss 0.5")
	}
	bar.Done("test error 6.41 %")
	bar.Done("a second end is nothing")
	bar.Set(1, "nor is what follows it")
	require.Equal(t, []string{
		"training: 0%, 1 of 2,000 steps, loss 0.5",
		"training: 10%, 200 of 2,000 steps, 20/s, 1 min 30 s left, loss 0.5",
		"training: 20%, 400 of 2,000 steps, 20/s, 1 min 20 s left, loss 0.5",
	}, lines(&output)[:3])
	require.Equal(t, "training: 2,000 steps in 1 min 40 s, test error 6.41 %", lines(&output)[11])
	require.Len(t, lines(&output), 12)
}

func TestBarInALogOfALongJob(t *testing.T) {
	var output bytes.Buffer
	c := newClock()
	bar := newBar(100_000, "training", "steps", &logged{w: &output}, c.now)
	for step := int64(1); step <= 20; step++ { // 1 step in 15 s
		bar.Set(step, "")
		c.advance(15 * time.Second)
	}
	require.Len(t, lines(&output), 10, "a line every half minute")
	require.Equal(t, "training: 0%, 3 of 100,000 steps, 15 s each, 17 days left", lines(&output)[1])
}

// A resumed run has most of its way behind it; its speed is measured from the resumption on.
func TestSpeedOfAResumedRun(t *testing.T) {
	c := newClock()
	bar := newBar(1000, "training", "steps", &logged{w: &bytes.Buffer{}}, c.now)
	bar.Set(900, "")
	c.advance(10 * time.Second)
	bar.Set(920, "")
	c.advance(10 * time.Second)
	bar.Set(940, "")
	require.Equal(t, 2.0, bar.state.speed)
	require.Equal(t, 30*time.Second, bar.state.remaining)
}

// The first part takes longer than the others, because it is compiled: no estimate says that all of them will.
func TestTheFirstPartIsNoEstimate(t *testing.T) {
	c := newClock()
	bar := newBar(30, "eval", "passes", &logged{w: &bytes.Buffer{}}, c.now)
	bar.Set(0, "compiling")
	c.advance(time.Minute)
	bar.Set(0, "compiling")
	bar.Set(1, "")
	require.Zero(t, bar.state.remaining)
	for done := int64(2); done < 30; done++ {
		c.advance(time.Second)
		bar.Set(done, "")
		require.Equal(t, time.Duration(30-done)*time.Second, bar.state.remaining)
	}
}

// The speed forgets what was long ago, such as the compilation at the start.
func TestSpeedIsRecent(t *testing.T) {
	c := newClock()
	bar := newBar(1000, "training", "steps", &logged{w: &bytes.Buffer{}}, c.now)
	bar.Set(0, "")
	c.advance(time.Hour)
	for step := int64(1); step <= 100; step++ {
		bar.Set(step, "")
		c.advance(2 * time.Second)
	}
	require.InDelta(t, 0.5, bar.state.speed, 1e-9)
}

func TestTheJobsOwnEstimate(t *testing.T) {
	var output bytes.Buffer
	bar := newBar(1000, "training", "steps", &logged{w: &output}, newClock().now)
	bar.Estimate(3.14, 90*time.Minute)
	bar.Set(500, "")
	require.Equal(t, []string{"training: 50%, 500 of 1,000 steps, 3.1/s, 1 h 30 min left"}, lines(&output))
}

func TestBarOnATerminal(t *testing.T) {
	var output bytes.Buffer
	c := newClock()
	bar := newBar(100e6, "cifar10", "bytes", &terminal{w: &output, width: func() int { return 72 }}, c.now)
	for i := range int64(100) {
		bar.Set(i*1e5, "")
		c.advance(10 * time.Millisecond)
	}
	drawn := strings.Split(output.String(), "\r\x1b[K")[1:]
	require.Len(t, drawn, 10, "ten a second at most")
	require.Equal(t, "cifar10 ░░░░░░░░░░░░░░░░░░░░   0%, 0.0 of 100.0 MB", drawn[0])
	require.Equal(t, "cifar10 █░░░░░░░░░░░░░░░░░░░   9%, 9.0 of 100.0 MB, 10.0 MB/s, 9 s left", drawn[9])

	bar.screen = &terminal{w: &output, width: func() int { return 20 }}
	output.Reset()
	c.advance(time.Second)
	bar.Set(50e6, "long text")
	require.Equal(t, "\r\x1b[Kcifar10 ██████████░", output.String(), "no wider than the terminal")
	output.Reset()
	bar.Done("verified")
	require.Equal(t, "\r\x1b[Kcifar10: 50.0 MB in 2 s, verified\n", output.String())
}

func TestBarOfUnknownLength(t *testing.T) {
	var output bytes.Buffer
	c := newClock()
	bar := newBar(0, "reading", "images", &logged{w: &output}, c.now)
	bar.Set(0, "")
	c.advance(40 * time.Second)
	bar.Set(80_000, "")
	bar.SetTotal(160_000)
	c.advance(40 * time.Second)
	bar.Set(120_000, "")
	require.Equal(t, []string{
		"reading: 0 images",
		"reading: 80,000 images",
		"reading: 75%, 120,000 of 160,000 images, 1000/s, 40 s left",
	}, lines(&output))
}

func TestAJobThatBeganBeforeTheBar(t *testing.T) {
	var output bytes.Buffer
	c := newClock()
	bar := newBar(60, "mine", "epochs", &logged{w: &output}, c.now)
	bar.Took(90 * time.Second)
	bar.Set(60, "")
	c.advance(time.Second)
	bar.Done("finished")
	require.Equal(t, "mine: 60 epochs in 1 min 30 s, finished", lines(&output)[1])
}

// On a terminal each job has a line below the bar; in a log its percentage stands in the bar's line.
func TestJobs(t *testing.T) {
	var onTerminal, inLog bytes.Buffer
	for _, s := range []Screen{&terminal{w: &onTerminal, width: func() int { return 60 }}, &logged{w: &inLog}} {
		bar := newBar(4, "it", "runs", s, newClock().now)
		bar.Jobs(0.3, Job{"a", "epoch 2 of 4", 0.25}, Job{"b", strings.Repeat("long ", 20), 0.5})
		bar.Set(1, "1 failed")
		bar.Note("c: done")
		bar.Jobs(0.5, Job{"a", "epoch 3 of 4", 0.75})
		bar.Set(2, "1 failed")
		bar.Done("1 failed")
	}
	require.Equal(t, []string{
		"it: 30%, 1 of 4 runs, 1 failed, a 25%, b 50%",
		"c: done",
		"it: 50%, 2 of 4 runs, 1 failed, a 75%",
		"it: 2 runs, 1 failed",
	}, lines(&inLog))
	require.Equal(t, "\r\x1b[Kit ██████░░░░░░░░░░░░░░  30%, 1 of 4 runs, 1 failed\n"+
		"  a █████░░░░░░░░░░░░░░░ epoch 2 of 4\n"+
		"  b ██████████░░░░░░░░░░ long long long long long long long"+
		"\r\x1b[2A\x1b[Jc: done\n"+
		"\r\x1b[Kit ██████████░░░░░░░░░░  50%, 2 of 4 runs, 1 failed\n"+
		"  a ███████████████░░░░░ epoch 3 of 4"+
		"\r\x1b[1A\x1b[Jit: 2 runs, 1 failed\n", onTerminal.String())
}
