package stopping

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// ways are the programs that TestMain runs in a process of its own; the exit status says how each ended.
var ways = map[string]func(){
	"hangup": func() {
		if signal.Ignored(syscall.SIGHUP) {
			os.Exit(7) // it is under nohup
		}
		ctx := Hangup(context.Background())
		fmt.Println("ready")
		<-ctx.Done()
		time.Sleep(100 * time.Millisecond) // for the second hangup
		os.Exit(3)
	},
	"unread": func() {
		ctx := Unread(context.Background())
		in, out, _ := os.Pipe()
		in.Close()
		_, err := out.Write([]byte("x")) // to another pipe than standard output
		if !errors.Is(err, syscall.EPIPE) {
			os.Exit(4)
		}
		time.Sleep(50 * time.Millisecond)
		if ctx.Err() != nil {
			os.Exit(5)
		}
		for ctx.Err() == nil {
			fmt.Println("ready")
			time.Sleep(time.Millisecond)
		}
		fmt.Println("one more")
		os.Exit(3)
	},
	"orphaned": func() { // a process whose starter ends at once
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), "STOPPING_TEST=orphan")
		child.Stdout = os.Stdout
		child.Start()
		bufio.NewReader(os.Stdin).ReadString('\n')
	},
	"orphan": func() {
		ctx := Orphaned(context.Background())
		fmt.Println("ready")
		<-ctx.Done()
		fmt.Println(context.Cause(ctx))
	},
}

func TestMain(m *testing.M) {
	if way := ways[os.Getenv("STOPPING_TEST")]; way != nil {
		way()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// start starts a process with one of the ways, and waits until it is ready.
func start(t *testing.T, way string) (cmd *exec.Cmd, input io.WriteCloser, output *bufio.Reader, closeOutput func() error) {
	t.Helper()
	cmd = exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "STOPPING_TEST="+way)
	input, err := cmd.StdinPipe()
	require.NoError(t, err)
	pipe, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() { cmd.Process.Kill() })
	output = bufio.NewReader(pipe)
	line, err := output.ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "ready\n", line)
	return cmd, input, output, pipe.Close
}

func TestHangup(t *testing.T) {
	nohup := exec.Command("nohup", os.Args[0])
	nohup.Env = append(os.Environ(), "STOPPING_TEST=hangup")
	require.EqualError(t, nohup.Run(), "exit status 7")

	if signal.Ignored(syscall.SIGHUP) {
		t.Skip("SIGHUP is ignored here, as under nohup, and every process that starts here inherits that")
	}
	cmd, _, _, _ := start(t, "hangup")
	require.NoError(t, cmd.Process.Signal(syscall.SIGHUP))
	time.Sleep(20 * time.Millisecond)
	require.NoError(t, cmd.Process.Signal(syscall.SIGHUP))
	require.EqualError(t, cmd.Wait(), "exit status 3")
}

func TestUnread(t *testing.T) {
	cmd, _, _, closeOutput := start(t, "unread")
	require.NoError(t, closeOutput())
	require.EqualError(t, cmd.Wait(), "exit status 3")
}

func TestOrphaned(t *testing.T) {
	cmd, input, output, _ := start(t, "orphaned")
	require.NoError(t, input.Close())
	line, err := output.ReadString('\n') // from the orphan, which has the same output
	require.NoError(t, err)
	require.Equal(t, ErrOrphaned.Error()+"\n", line)
	require.NoError(t, cmd.Wait())
}
