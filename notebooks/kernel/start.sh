#!/usr/bin/env bash
# Starts the Go kernel of a notebook: start.sh CONNECTION_FILE. Jupyter runs it
# (kernel.json, which `make setup` copies into .venv). What a notebook would have
# to set in a first cell is set here.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)

STOCHDEPTH_GO=$(command -v go) || { echo "The notebooks need Go, but 'go' is not on the PATH." >&2; exit 1; }
export STOCHDEPTH_GO
export STOCHDEPTH_ROOT=$root

# Without debug information a cell that uses XLA links in half the time.
export GOFLAGS="${GOFLAGS:-} -ldflags=-w"
# gopls and goimports keep their caches here too; Go's own stays where it is.
GOCACHE=$(go env GOCACHE)
export GOCACHE
export XDG_CACHE_HOME=$root/.bin/cache
# GoNB makes its own go.work; one above the project's folder must not interfere.
unset GOWORK
export PATH="$here/path:$root/.bin:$PATH"

# gopls keeps what it learns of the toolkit in its cache. For a reader, let it learn now, in the background, so that the
# first completion need not wait. GoNB starts another gopls, but asks it nothing before the reader does.
if [ -z "${STOCHDEPTH_HEADLESS:-}" ]; then
	train=$root/toolkit/notebook/watch/watch.go
	nice -n 19 "$root/.bin/gopls" definition "$train:$(awk '/^func Train\(/ { print NR ":6"; exit }' "$train")" >/dev/null 2>&1 </dev/null &
fi

# -go_work lets cells import the toolkit as it stands in this folder. -raw_error shows the compiler's errors as text, which is
# their only appearance; as HTML they would appear a second time.
exec "$root/.bin/gonb" --kernel "$1" -go_work="$root" -raw_error=true \
	-logtostderr=false -log_file=/dev/null -stderrthreshold=3
