# Shared by the scripts of this folder, which source it. From here on the working
# directory is a temporary folder, which is removed at the end.
#
# Exit status of a script: 0, the behaviour is as described; 1, it has changed;
# 2, the packages could not be installed or built.
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
unset GOMLX_BACKEND XLA_FLAGS PYTHONPATH
export GOWORK=off GOFLAGS=-mod=mod GOMLX_NO_AUTO_INSTALL=1 PIP_DISABLE_PIP_VERSION_CHECK=1

quietly() { # quietly COMMAND...: shows the command's output only if it fails
	"$@" >quietly.log 2>&1 || { cat quietly.log >&2; echo "could not set up: $*" >&2; exit 2; }
}

go_program() { # go_program MODULE@VERSION... <main.go: builds ./program
	cat >main.go
	quietly go mod init finding
	quietly go get "$@"
	quietly go build -o program .
	go version
	go list -m "${@%@*}"
}

python_packages() { # python_packages NAME==VERSION...: makes ./venv
	quietly python3 -m venv venv
	quietly venv/bin/pip install "$@"
	venv/bin/python --version
	venv/bin/pip list --format=freeze | grep -iE "^($(printf '%s|' "${@%%=*}")none)=="
}

xla_plugin() { # XLA's plugin for the CPU becomes GoMLX's backend
	quietly python3 -m pip download --no-deps --dest wheel xla-cpu-pjrt==0.0.1
	quietly python3 -m zipfile -e wheel/xla_cpu_pjrt-*.whl plugin
	export GOMLX_BACKEND="xla:$folder/plugin/xla_plugins/xla_cpu_pjrt/xla_cpu_pjrt.so"
	echo "xla-cpu-pjrt 0.0.1"
}

verdict() { # verdict EXPECTED KNOWN SEEN: what one would expect, the behaviour described in the script, and what came out
	printf '\nA good guess:\n%s\n\nSeen:\n%s\n\n' "$1" "$3"
	if [[ "$3" != "$2" ]]; then
		printf 'The behaviour has CHANGED. It was:\n%s\n' "$2"
		exit 1
	fi
	echo "The behaviour is as described."
}
