#!/usr/bin/env bash
# Builds the image of Containerfile with Docker, Podman or Buildah, whichever works here, and tries it: `stochdepth doctor`,
# a training of four steps, and JupyterLab, which must refuse visitors without the token. BUILDER=podman chooses.
# Building takes minutes, longer the first time: it installs what `make setup` installs.
set -euo pipefail
cd "$(dirname "$0")/.."
image=stochdepth-lab-test
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
builder=${BUILDER:-}
if [ -z "$builder" ]; then
	for builder in docker podman buildah none; do
		"$builder" info >/dev/null 2>&1 && break
	done
fi
[ "$builder" != none ] || { echo "There is no Docker (with its daemon), Podman or Buildah that works here: install one." >&2; exit 1; }

log=$(mktemp) answer=$(mktemp) container='' server=''
stop() {
	[ -n "$server" ] || return 0
	kill -TERM -- "-$server" 2>/dev/null || true
	[ "$builder" = buildah ] || "$builder" rm -f "$image" >/dev/null 2>&1 || true # the container has the image's name
	wait "$server" 2>/dev/null || true
	server=
}
clean() {
	stop
	[ -z "$container" ] || buildah rm "$container" >/dev/null
	rm -f "$log" "$answer"
}
trap clean EXIT

# Without a container runtime, or the right to use it, Buildah only changes the root folder and shares the network.
export BUILDAH_ISOLATION=${BUILDAH_ISOLATION:-chroot}
echo "== $builder builds the image =="
build=(build)
[ "$builder" != buildah ] || build=(bud)
timeout "${BUILD_SECONDS:-3600}" "$builder" "${build[@]}" -f Containerfile -t "$image" --build-arg "COMMIT=$(git rev-parse --short HEAD 2>/dev/null || true)" .
[ "$builder" != buildah ] || container=$(buildah from "$image")

inside() {
	case $builder in
		buildah) buildah run "$container" -- "$@" ;;
		*) "$builder" run --rm "$image" "$@" ;;
	esac
}
echo "== stochdepth doctor =="
inside stochdepth doctor
echo "== stochdepth train =="
inside stochdepth train --recipe quickstart --depth 8 --epochs 1 --batch-size 16 --run container-test \
	--set train_images=64 --set validation_images=32 --set test_images=32

echo "== make lab =="
set -m # the server gets its own process group, so that all of it can be ended
case $builder in
	buildah) buildah run "$container" -- make lab PORT="$port" >"$log" 2>&1 & ;;
	*) "$builder" run --rm --name "$image" -p "127.0.0.1:$port:8888" "$image" >"$log" 2>&1 & ;;
esac
server=$!
set +m
for _ in {1..120}; do
	token=$(sed -n 's/.*[?]token=\([0-9a-f]\{20,\}\).*/\1/p' "$log" | head -n 1)
	[ -z "$token" ] || break
	kill -0 "$server" 2>/dev/null || break
	sleep 1
done
[ -n "$token" ] || { cat "$log" >&2; echo "JupyterLab printed no address with a token." >&2; exit 1; }

ask() { # prints the status; the body goes into the file $answer
	python3 - "http://127.0.0.1:$port/api/kernelspecs$1" "$answer" <<'END'
import sys, urllib.error, urllib.request
try:
    answer = urllib.request.urlopen(sys.argv[1], timeout=30)
except urllib.error.HTTPError as refused:
    answer = refused
except OSError:
    sys.exit("no answer")
open(sys.argv[2], "wb").write(answer.read())
print(answer.status)
END
}
status=$(ask "")
[ "$status" = 403 ] || { echo "Without the token the server answers with $status, where 403 would refuse." >&2; exit 1; }
echo "Without the token: $status."
status=$(ask "?token=$token")
[ "$status" = 200 ] || { echo "With the token the server answers with $status." >&2; exit 1; }
grep -q '"gonb"' "$answer" || { echo "The server does not have the notebooks' kernel: $(cat "$answer")" >&2; exit 1; }
echo "With the token: $status, and the kernel of the notebooks is there."
stop
! status=$(ask "" 2>/dev/null) || { echo "The server was stopped and still answers with $status." >&2; exit 1; }
echo "Stopped: no answer."
echo "The container works."
