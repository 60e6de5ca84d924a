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

// largestDownload is the largest size of a download, whatever the server sends; the largest official file has 1.3 GB.
const largestDownload = 3 << 30

// permanentError is a failure that another try cannot fix.
type permanentError struct{ error }

func (e permanentError) Unwrap() error { return e.error }

var errStalled = errors.New("the server stopped sending")

// download fetches the rest of a file whose beginning is in part, and tries again after failures that may be temporary. The
// count of failures starts again at zero after an attempt that gets further into the file than all before.
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
			return fmt.Errorf("cannot download %s after %d tries (%w): check the connection and try again to go on where it stopped, "+
				"or put the file there yourself, as %s", from.url, failures, err, place(part))
		}
		g.progress(0, 0, fmt.Sprintf("%s: the connection failed, trying again", from.name()))
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(g.pause << (failures - 1)):
		}
	}
}

// attempt makes one request and appends the answer to part, which then has the given size.
func (g *getter) attempt(ctx context.Context, from remote, part string) (size int64, err error) {
	open := func() (*os.File, error) { return os.OpenFile(part, os.O_WRONLY|os.O_CREATE, 0o666) }
	file, err := open()
	if errors.Is(err, fs.ErrPermission) && os.Remove(part) == nil { // left by another user
		file, err = open()
	}
	if err != nil {
		return 0, unwritable(err)
	}
	defer file.Close()
	have, err := file.Seek(0, io.SeekEnd)
	if err == nil && have > g.largest { // it cannot be the beginning of this file
		have, err = 0, restart(file)
	}
	if err != nil {
		return 0, unwritable(err)
	}

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(g.stall, func() { cancel(errStalled) }) // reset by every piece of data
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
	request.Header.Set("Accept-Encoding", "identity") // ranges are then ranges of the file's bytes
	if have > 0 {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", have))
	}
	response, err := g.client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()

	contentRange := response.Header.Get("Content-Range")
	switch status := response.StatusCode; {
	case status == http.StatusPartialContent && strings.HasPrefix(contentRange, fmt.Sprintf("bytes %d-", have)): // the rest
	case status == http.StatusOK && have == 0:
	case status == http.StatusOK: // the server does not support ranges: start over
		if have, err = 0, restart(file); err != nil {
			return 0, err
		}
	case status == http.StatusRequestedRangeNotSatisfiable && contentRange == fmt.Sprintf("bytes */%d", have):
		return have, nil // part has the whole file already
	case status == http.StatusPartialContent, status == http.StatusRequestedRangeNotSatisfiable:
		if err := restart(file); err != nil {
			return 0, err
		}
		return 0, errors.New("the server sent the wrong part of the file")
	case status == http.StatusRequestTimeout, status == http.StatusTooManyRequests, status >= 500:
		return 0, fmt.Errorf("the server answered %s", response.Status)
	default:
		return 0, permanentError{fmt.Errorf("the server answered %s for %s: the file may have moved; "+
			"get it by hand and put it there, as %s", response.Status, from.url, place(part))}
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
				return have, unwritable(err)
			}
			have += int64(n)
			g.progress(have, total, from.name())
		}
		if have > g.largest {
			if err := restart(file); err != nil {
				return 0, err
			}
			return 0, permanentError{fmt.Errorf("%s sends more than %s bytes, so it is not the file: the download was removed; "+
				"get the file by hand and put it there, as %s", from.url, say.Grouped(g.largest), place(part))}
		}
		if readErr == io.EOF {
			break
		}
		if readErr != nil {
			return have, readErr
		}
	}
	if err := file.Sync(); err != nil {
		return have, unwritable(err)
	}
	return have, nil
}

// restart empties a file to download it from its beginning.
func restart(file *os.File) error {
	err := file.Truncate(0)
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		return unwritable(err)
	}
	return nil
}

func unwritable(err error) error {
	return permanentError{fmt.Errorf("cannot write the download: %w", err)}
}
