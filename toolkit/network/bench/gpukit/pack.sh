#!/usr/bin/env bash
# Packs what day.py needs into a folder, for a machine with an NVIDIA GPU and nothing else: pack.sh FOLDER.
# Each file is smaller than 60 MB.
set -euo pipefail
kit=$1
rm -rf "$kit"
mkdir -p "$kit"
echo "Building (minutes the first time) ..."
# The programs need no libraries of this machine except those that every Linux has, whose version is checked below.
go build -ldflags='-s -w' -o "$kit/stochdepth" ./toolkit/cmd/stochdepth
go test -c -ldflags='-s -w' -o "$kit/survivors.test" ./toolkit/network/survivors
for program in stochdepth survivors.test; do
	glibc=$(objdump -T "$kit/$program" | grep -o 'GLIBC_[0-9.]*' | sort -Vu | tail -1)
	echo "$program needs $glibc or later"
	if [ "$(printf '%s\n' "$glibc" GLIBC_2.35 | sort -V | tail -1)" != GLIBC_2.35 ]; then
		echo "gpu-kit: that is later than Ubuntu 22.04 and Debian 12 have: pack on an older system." >&2
		exit 1
	fi
	gzip "$kit/$program"
done
for data in cifar-10-batches-bin cifar-100-binary; do
	if [ -d "data/cache/$data" ]; then
		tar -C data/cache -c "$data" | split -d -b 55M - "$kit/$data.tar."
	else
		echo "data/cache/$data is not here, and its trainings will fail: stochdepth data get downloads it." >&2
	fi
done
cp go.mod toolkit/network/bench/gpukit/day.py "$kit"
commit=$(git rev-parse --short=12 HEAD 2>/dev/null || true)
[ -z "$commit" ] || git diff --quiet HEAD -- toolkit go.mod go.sum || commit+=+
echo "$commit" > "$kit/commit"
(cd "$kit" && sha256sum -- * > SHA256SUMS)
du -h "$kit"/* | sort -k 2
echo "Copy the files of $kit into one folder on the other machine, and start there, with a Python that has JAX: python3 day.py"
