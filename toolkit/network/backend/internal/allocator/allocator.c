//go:build linux && amd64 && cgo && !nokernels

// Large blocks of memory, for the whole process: this posix_memalign, and the functions that take its blocks, replace the
// C library's, also for XLA's plugin.
//
// XLA takes the memory of a training step as one block and gives it back after the step, and does the same with inputs and
// outputs. The C library can do two things with such a block, and both cost. It gives the block to the system, and takes
// it again page by page. Or it keeps the block in the heap; then a few bytes allocated in its place prevent the next step's
// block from fitting there, and the process grows to twice or three times what a step needs. Here a block stays as it is
// for the next request of its size.
//
// Until it is started, it passes all requests on to the C library.

#define _GNU_SOURCE
#include "allocator.h"

#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

// next is the function of this name in the C library, or in an allocator that the user put before it.
#define next(name) ({ \
	static __typeof__(&name) own; \
	if (!own) \
		own = (__typeof__(own))dlsym(RTLD_NEXT, #name); \
	own; \
})

enum { LARGE = 4 << 20, PAGE = 4096, HUGE = 2 << 20, BLOCKS = 256, PATIENCE = 50000000 /* ns */ };

static struct {
	char *data;
	size_t size;
	int used;
} blocks[BLOCKS];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t freed;

// on says whether blocks are kept. It never goes back to 0: a block must be freed by the allocator that made it.
static atomic_int on;

void stochdepth_start_allocator(void) {
	pthread_condattr_t steady; // the time to wait must not depend on a clock that somebody may set
	pthread_condattr_init(&steady);
	pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
	pthread_cond_init(&freed, &steady);
	pthread_condattr_destroy(&steady);
	on = 1;
}

int stochdepth_allocator_started(void) { return on; }

// map takes memory from the system that begins where a huge page can begin.
static char *map(size_t size) {
	char *data = mmap(NULL, size + HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (data == MAP_FAILED)
		return NULL;
	char *start = (char *)(((uintptr_t)data + HUGE - 1) / HUGE * HUGE);
	if (start > data)
		munmap(data, start - data);
	if (start < data + HUGE)
		munmap(start + size, data + HUGE - start);
	madvise(start, size, MADV_HUGEPAGE);
	return start;
}

// find returns the smallest block, free or used, that holds size bytes and is not much larger, or -1.
static int find(size_t size, int used) {
	int best = -1;
	for (int i = 0; i < BLOCKS; i++)
		if (blocks[i].data && blocks[i].used == used && blocks[i].size >= size && blocks[i].size <= size + size / 4 &&
				(best < 0 || blocks[i].size < blocks[best].size))
			best = i;
	return best;
}

// new maps a block and returns it, or -1. It unmaps the free ones, so that all blocks together are never more than what was
// in use at one time.
static int new(size_t size) {
	int entry = -1;
	for (int i = 0; i < BLOCKS; i++) {
		if (blocks[i].data && !blocks[i].used) {
			munmap(blocks[i].data, blocks[i].size);
			blocks[i].data = NULL;
		}
		if (!blocks[i].data)
			entry = i;
	}
	if (entry < 0 || !(blocks[entry].data = map(size)))
		return -1;
	blocks[entry].size = size;
	return entry;
}

// take returns a block, or NULL. XLA reports that a step is done, so that the next begins, a moment before it gives the
// step's block back. So take waits for a moment if a used block would fit.
static void *take(size_t size) {
	size = (size + HUGE - 1) / HUGE * HUGE;
	pthread_mutex_lock(&lock);
	int i = find(size, 0);
	if (i < 0 && find(size, 1) >= 0) {
		struct timespec until;
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += PATIENCE;
		until.tv_sec += until.tv_nsec / 1000000000, until.tv_nsec %= 1000000000;
		while ((i = find(size, 0)) < 0 && !pthread_cond_timedwait(&freed, &lock, &until))
			;
	}
	if (i < 0)
		i = new(size);
	void *data = NULL;
	if (i >= 0) {
		blocks[i].used = 1;
		data = blocks[i].data;
	}
	pthread_mutex_unlock(&lock);
	return data;
}

// beginning returns the block that begins at data, or -1; the lock must be held.
static int beginning(const void *data) {
	for (int i = 0; i < BLOCKS; i++)
		if (blocks[i].data == data)
			return i;
	return -1;
}

// may_begin reports whether a block may begin at data: ours begin where a huge page does, and little else does.
static int may_begin(const void *data) { return on && data && (uintptr_t)data % HUGE == 0; }

// size_of returns the size of the block that begins at data, or 0 if it is not one of ours.
static size_t size_of(const void *data) {
	if (!may_begin(data))
		return 0;
	pthread_mutex_lock(&lock);
	int i = beginning(data);
	size_t size = i >= 0 && blocks[i].used ? blocks[i].size : 0;
	pthread_mutex_unlock(&lock);
	return size;
}

// give takes a block back and returns 1, or 0 if data is not one of ours. As with the C library, a block that is given back
// twice ends the program: somebody else may have it by then.
static int give(const void *data) {
	if (!may_begin(data))
		return 0;
	pthread_mutex_lock(&lock);
	int i = beginning(data);
	if (i >= 0) {
		static const char twice[] = "free(): a large block of memory was given back twice\n";
		if (!blocks[i].used && write(STDERR_FILENO, twice, sizeof twice - 1))
			abort();
		blocks[i].used = 0;
		pthread_cond_broadcast(&freed);
	}
	pthread_mutex_unlock(&lock);
	return i >= 0;
}

int posix_memalign(void **data, size_t alignment, size_t size) {
	int valid = alignment && (alignment & (alignment - 1)) == 0 && alignment % sizeof(void *) == 0;
	if (on && valid && alignment <= PAGE && size >= LARGE && size <= PTRDIFF_MAX) {
		void *block = take(size);
		if (block) {
			*data = block;
			return 0;
		}
	}
	return next(posix_memalign)(data, alignment, size);
}

void free(void *data) {
	if (!give(data))
		next(free)(data);
}

size_t malloc_usable_size(void *data) {
	size_t size = size_of(data);
	return size ? size : next(malloc_usable_size)(data);
}

void *realloc(void *data, size_t size) {
	size_t had = size_of(data);
	if (!had)
		return next(realloc)(data, size);
	if (size && size <= had)
		return data;
	void *larger = size ? malloc(size) : NULL;
	if (larger)
		memcpy(larger, data, had);
	if (larger || !size)
		give(data);
	return larger;
}

void *reallocarray(void *data, size_t count, size_t size) {
	size_t all;
	if (!__builtin_mul_overflow(count, size, &all))
		return realloc(data, all);
	errno = ENOMEM;
	return NULL;
}
