package sweep

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Half of the runs are finished and one has failed; each of the others takes 100 s.
func TestListings(t *testing.T) {
	s, o, folder := twelve(t)
	s.Jobs = s.Jobs[:4]
	require.NoError(t, os.WriteFile(filepath.Join(folder, "fail"), []byte(s.Jobs[1].Name), 0o644))
	for i := range 3 {
		_ = s.Task(context.Background(), o, i, &bytes.Buffer{}, pretend)
	}
	list := s.Status(o.Runs)
	var text bytes.Buffer
	require.NoError(t, WriteStatus(&text, list))
	require.Equal(t, `index  name                 state   epochs
0      it/20-linear-0.9-s1  done    6/6
1      it/20-linear-0.8-s1  failed  0/6     out of luck
2      it/20-linear-0.7-s1  done    6/6
3      it/20-linear-0.6-s1  left    0/6
4 runs: 2 done, 1 failed, 1 left; about 1s left with 1 at a time
`, regexp.MustCompile(`(?m) +$`).ReplaceAllString(text.String(), ""))

	text.Reset()
	require.NoError(t, WritePlan(&text, list, nil, 0))
	require.Equal(t, `index  name                 state
0      it/20-linear-0.9-s1  done
1      it/20-linear-0.8-s1  failed
2      it/20-linear-0.7-s1  done
3      it/20-linear-0.6-s1  left
4 runs: 2 done, 1 failed, 1 left
`, text.String())

	text.Reset()
	estimates := make([]Estimate, len(list))
	for i := range estimates {
		estimates[i] = Estimate{Job: s.Jobs[i], Time: 100 * time.Second, Memory: int64(i) * 1e9}
	}
	require.NoError(t, WritePlan(&text, list, estimates, 2))
	require.Regexp(t, `(?m)^3      it/20-linear-0.6-s1  left    1m40s  3.0 GB$`, text.String())
	require.Contains(t, text.String(), "The remaining runs take about 3m20s, one at a time with the whole machine; up to 3.0 GB of "+
		"memory per worker. By default this machine has 2.\n")
}
