//go:build linux && amd64 && cgo && !nokernels

// Large blocks of memory, for the whole process: this posix_memalign, and the functions that take what it
// gave, stand before the C library's, also for XLA's plugin.
//
// XLA takes the memory of a training step as one block and gives it back after the step, and its inputs and
// outputs likewise. The C library has two ways with such a block, and both cost: give it to the system, and
// take it again page by page; or keep it in the heap, where a few bytes that come to lie in its place let the
// next step's block not fit, so that the process grows to twice or three times what a step needs. Here a block
// stays as it is for the next of its size.
//
// Before it is started it passes on to the C library all that it is asked for.

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

// next is the C library's function of a name, or that of an allocator that the user put before it.
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

// on says whether blocks are kept. It never goes back to 0: who made a block must free it.
static atomic_int on;

void stochdepth_start_allocator(void) {
	pthread_condattr_t steady; // the time of the waiting must not follow a clock that somebody sets
	pthread_condattr_init(&steady);
	pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
	pthread_cond_init(&freed, &steady);
	pthread_condattr_destroy(&steady);
	on = 1;
}

int stochdepth_allocator_started(void) { return on; }

// map takes memory from the system that begins where a huge page can.
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

// find is the smallest block, free or used, that holds size bytes and is not much larger, or -1.
static int find(size_t size, int used) {
	int best = -1;
	for (int i = 0; i < BLOCKS; i++)
		if (blocks[i].data && blocks[i].used == used && blocks[i].size >= size && blocks[i].size <= size + size / 4 &&
				(best < 0 || blocks[i].size < blocks[best].size))
			best = i;
	return best;
}

// new maps a block, or is -1. It ends the free ones, so that they are never more than what was in use at a time.
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

// take gives a block, or NULL. XLA says that a step is done, so that the next begins, a moment before it gives
// the step's block back: that moment is waited for.
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

// beginning is the block that begins at data, or -1; the lock must be held.
static int beginning(const void *data) {
	for (int i = 0; i < BLOCKS; i++)
		if (blocks[i].data == data)
			return i;
	return -1;
}

// may_begin says whether a block may begin at data: ours do where a huge page does, and little else.
static int may_begin(const void *data) { return on && data && (uintptr_t)data % HUGE == 0; }

// size_of is the size of the block that begins at data, or 0 if that is none of ours.
static size_t size_of(const void *data) {
	if (!may_begin(data))
		return 0;
	pthread_mutex_lock(&lock);
	int i = beginning(data);
	size_t size = i >= 0 && blocks[i].used ? blocks[i].size : 0;
	pthread_mutex_unlock(&lock);
	return size;
}

// give takes a block back and is 1, or is 0 if data is none. As with the C library, giving back twice ends
// the program: somebody else may have the block by then.
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
