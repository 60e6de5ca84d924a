package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"stochdepth/toolkit/training"
)

func TestVersion(t *testing.T) {
	t.Setenv(training.CommitEnvironment, "0123456789ab+")
	out, err := call(t, "--version")
	require.NoError(t, err)
	require.Regexp(t, `^stochdepth .*commit 0123456789ab\+\nGo .*\nGoMLX .*\ngo-xla .*\n$`, out)
}
