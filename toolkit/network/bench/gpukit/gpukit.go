// Package gpukit is what `make gpu-kit` packs for a machine that has an NVIDIA GPU, Python's CUDA packages, and
// neither Go nor a network: day.py, which does there all that waits for a GPU, in pieces of nine minutes, and pack.sh,
// which puts the program, the contract's tests and the data beside it.
package gpukit
