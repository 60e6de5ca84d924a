package dataset

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"time"

	"stochdepth/toolkit/internal/say"
)

// largestDownload bounds what a server can make us store; the largest official file has 1.3 GB.
const largestDownload = 3 << 30

// permanentError is a failure that a repetition would not heal.
type permanentError struct{ error }

func (e permanentError) Unwrap() error { return e.error }

var errStalled = errors.New("the server stopped sending")

// download fetches the rest of a file that part holds the beginning of, and tries again after
// failures that may pass. An attempt after which there is more of the file than ever makes the count
// of failures start anew; one that only brings again what was there, from a server that knows no
// ranges, does not.
func (g *getter) download(ctx context.Context, from remote, part string) error {
	var most int64
	if info, err := os.Stat(part); err == nil {
		most = info.Size()
	}
	for failures := 0; ; {
		size, err := g.attempt(ctx, from, part)
		if err == nil {
			return nil
		}
		if permanent := (permanentError{}); errors.As(err, &permanent) || ctx.Err() != nil {
			return err
		}
		if size > most {
			failures, most = 0, size
		}
		if failures++; failures > g.retries {
			return fmt.Errorf("cannot download %s after %d tries (%w): check the connection and try again to go on where it stopped, or put the file there yourself, as %s",
				from.url, failures, err, place(part))
		}
		g.progress(0, 0, fmt.Sprintf("%s: the connection failed, trying again", from.name))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(g.pause << (failures - 1)):
		}
	}
}

// attempt makes one request and appends what comes to part; size is then that of part.
func (g *getter) attempt(ctx context.Context, from remote, part string) (size int64, err error) {
	open := func() (*os.File, error) { return os.OpenFile(part, os.O_WRONLY|os.O_CREATE, 0o666) }
	file, err := open()
	if errors.Is(err, fs.ErrPermission) && os.Remove(part) == nil { // another user's, who went away
		file, err = open()
	}
	if err != nil {
		return 0, permanentError{fmt.Errorf("cannot write the download: %w", err)}
	}
	defer file.Close()
	have, err := file.Seek(0, io.SeekEnd)
	if err == nil && have > g.largest { // of another server, or not of this at all
		have, err = 0, restart(file)
	}
	if err != nil {
		return 0, permanentError{fmt.Errorf("cannot write the download: %w", err)}
	}

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(g.stall, func() { cancel(errStalled) }) // put off with every piece of data
	defer watch.Stop()
	defer func() {
		if context.Cause(ctx) == errStalled && err != nil {
			err = errStalled
		}
	}()

	request, err := http.NewRequestWithContext(ctx, http.MethodGet, from.url, nil)
	if err != nil {
		return 0, permanentError{err}
	}
	request.Header.Set("Accept-Encoding", "identity") // the bytes of the file, and a range of them
	if have > 0 {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
	}
	response, err := g.client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()

	switch status := response.StatusCode; {
	case status == http.StatusPartialContent && strings.HasPrefix(response.Header.Get("Content-Range"), fmt.Sprintf("bytes %d-", have)):
		// Goes on where we stopped.
	case status == http.StatusOK && have == 0:
	case status == http.StatusOK: // the server knows no ranges: start over
		if have, err = 0, restart(file); err != nil {
			return 0, err
		}
	case status == http.StatusRequestedRangeNotSatisfiable && response.Header.Get("Content-Range") == fmt.Sprintf("bytes */%d", have):
		return have, nil // there is nothing after it
	case status == http.StatusPartialContent, status == http.StatusRequestedRangeNotSatisfiable:
		if err := restart(file); err != nil {
			return 0, err
		}
		return 0, errors.New("the server sent another part of the file than asked for")
	case status == http.StatusRequestTimeout, status == http.StatusTooManyRequests, status >= 500:
		return 0, fmt.Errorf("the server answered %s", response.Status)
	default:
		return 0, permanentError{fmt.Errorf("the server answered %s for %s: the file may have moved; get it by hand and put it there, as %s", response.Status, from.url, place(part))}
	}

	total := int64(0)
	if response.ContentLength > 0 {
		total = have + response.ContentLength
	}
	buffer := make([]byte, 1<<17)
	for {
		n, readErr := response.Body.Read(buffer)
		if n > 0 {
			watch.Reset(g.stall)
			if _, err := file.Write(buffer[:n]); err != nil {
				return have, permanentError{fmt.Errorf("cannot write the download: %w", err)}
			}
			have += int64(n)
			g.progress(have, total, from.name)
		}
		if have > g.largest {
			if err := restart(file); err != nil {
				return 0, err
			}
			return 0, permanentError{fmt.Errorf("%s sends more than %s bytes, so it is not the file: what came was removed; get the file by hand and put it there, as %s",
				from.url, say.Grouped(g.largest), place(part))}
		}
		if readErr == io.EOF {
			break
		}
		if readErr != nil {
			return have, readErr
		}
	}
	if err := file.Sync(); err != nil {
		return have, permanentError{fmt.Errorf("cannot write the download: %w", err)}
	}
	return have, nil
}

func restart(file *os.File) error {
	err := file.Truncate(0)
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return permanentError{fmt.Errorf("cannot write the download: %w", err)}
	}
	return nil
}
