// Loaded before the C library, this lets the system refuse memory to the kernels of package kernels once: at the
// request whose number the environment's SHORTAGE is, counted from when it is set.

#define _GNU_SOURCE
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_int requests;

// The kernels ask for as many bytes as they need. Others ask for whole pages, Go's runtime while its heap needs no more.
static int is_of_a_kernel(const void *address, size_t size, int flags) {
	return !address && flags == (MAP_PRIVATE | MAP_ANONYMOUS) && size % 4096 != 0;
}

void *mmap(void *address, size_t size, int protection, int flags, int file, off_t offset) {
	const char *number = is_of_a_kernel(address, size, flags) ? getenv("SHORTAGE") : NULL;
	if (number && atomic_fetch_add(&requests, 1) + 1 == atoi(number)) {
		errno = ENOMEM;
		return MAP_FAILED;
	}
	return (void *)syscall(SYS_mmap, address, size, protection, flags, file, offset);
}

void *mmap64(void *, size_t, int, int, int, off_t) __attribute__((alias("mmap")));
