#!/usr/bin/env bash
# Builds the notebooks' tools into $GOBIN: build.sh FOLDER. GoNB is built from a copy of its source in FOLDER, with a few
# changes for readers who are new to Go. A change that finds nothing to change ends the build: GoNB is another version then.
set -euo pipefail

mkdir -p "$1"
copy=$(cd "$1" && pwd)/gonb
cd "$(dirname "${BASH_SOURCE[0]}")"
go mod download github.com/janpfeifer/gonb
source=$(go list -m -f '{{.Dir}}' github.com/janpfeifer/gonb)
rm -rf "$copy"
mkdir "$copy"
(cd "$source" && cp -r LICENSE go.mod go.sum ./*.go version.txt version cache common gonbui internal "$copy")
chmod -R u+w "$copy"

# change FILE EXPRESSION: one of sed's.
change() {
	sed -i.before "$2" "$copy/internal/$1"
	if cmp -s "$copy/internal/$1.before" "$copy/internal/$1"; then
		echo "GoNB's $1 has changed: look at notebooks/kernel/build.sh" >&2
		exit 1
	fi
}

# A cell that Go does not understand: the program `explain` of the path says so in a reader's words, beside the line alone.
cat > "$copy/internal/goexec/explain.go" <<'END'
package goexec

import (
	"os/exec"
	"strings"
)

func explain(dir, said string) string {
	explain := exec.Command("explain", dir)
	explain.Stdin = strings.NewReader(said)
	if words, err := explain.Output(); err == nil && len(words) > 0 {
		return strings.TrimSpace(string(words))
	}
	return said
}
END
change goexec/errorpublish.go 's/^\tnbErr := newGonbErrors(/\terrorMsg = explain(s.TempDir, errorMsg)\n&/'
change goexec/errorpublish.go 's/^const LinesForErrorContext = 3$/const LinesForErrorContext = 1/'
change goexec/gonberror.go 's/^\tfromLines := lineNum - LinesForErrorContext$/\tfromLines := lineNum/'
# "exit status 1" is in the cell's error: not before it too.
change goexec/execcode.go 's/^\t\tUseNamedPipes(s.Comms)\.$/\t\tWithoutStatus().\n&/'
change jpyexec/jpyexec.go 's/^type Executor struct {$/&\n\twithoutStatus bool/'
change jpyexec/jpyexec.go 's/^\t\terrMsg := exec.exitError.Error() + "\\n"$/&\n\t\tif exec.withoutStatus {\n\t\t\terrMsg = ""\n\t\t}/'
cat >> "$copy/internal/jpyexec/jpyexec.go" <<'END'

// WithoutStatus leaves it to the caller to say how the program ended.
func (exec *Executor) WithoutStatus() *Executor {
	exec.withoutStatus = true
	return exec
}
END
change jpyexec/jpyexec.go 's/^\t\t_ = kernel.PublishWriteStream(exec.Msg, kernel.StreamStderr, errMsg)$/\t\tif errMsg != "" {\n\t&\n\t\t}/'
# Completion: ask gopls as soon as it listens, and give it time. It reads the toolkit's files itself: of those that are sent it
# only needs what changed. With its own source of imports it lists names twice, and tests, or none of a package that was sent.
change goexec/goplsclient/conn.go 's/ConnectTimeout       = 12000/ConnectTimeout       = 500/'
change goexec/goplsclient/conn.go 's/CommunicationTimeout = 8000/CommunicationTimeout = 60000/'
change goexec/goplsclient/conn.go \
	's/^\t\tProcessID: 0,$/&\n\t\tInitializationOptions: map[string]any{"completionBudget": "10s", "importsSource": "goimports"},/'
change goexec/tracking.go '/^\t\t\t\tti.updated.Insert(path)$/d'

cp go.mod go.sum "$copy/.."
go mod edit -replace "github.com/janpfeifer/gonb=$copy" "$copy/../go.mod"
go install -modfile="$copy/../go.mod" tool
