// Package gpukit is what `make gpu-kit` packs for a machine that has an NVIDIA GPU and Python's CUDA packages, but
// neither Go nor a network: day.py does there everything that needs a GPU, in pieces of nine minutes, and pack.sh puts
// the program, the contract's tests and the data beside it.
package gpukit
