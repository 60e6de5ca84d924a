//go:build linux && amd64 && cgo && !nokernels

// Large blocks of memory, for the whole process: this posix_memalign and this free stand before the C
// library's, also for XLA's plugin.
//
// XLA takes the memory of a training step as one block and gives it back after the step. The C library has
// two ways with such a block, and both cost: give it to the system, and take it again page by page; or keep
// it in the heap, where a few bytes that come to lie in its place let the next step's block not fit, so that
// the process grows to twice or three times what a step needs. Here a block stays as it is for the next of
// its size.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

// The C library's own, or those of an allocator that the user put before it.
static int (*next_memalign)(void **data, size_t alignment, size_t size);
static void (*next_free)(void *data);

enum { LARGE = 64 << 20, PAGE = 4096, HUGE = 2 << 20, BLOCKS = 64, PATIENCE = 50000000 /* ns */ };

static struct {
	char *data;
	size_t size;
	int used;
} blocks[BLOCKS];

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t freed = PTHREAD_COND_INITIALIZER;

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
		clock_gettime(CLOCK_REALTIME, &until);
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

int posix_memalign(void **data, size_t alignment, size_t size) {
	int valid = alignment && (alignment & (alignment - 1)) == 0 && alignment % sizeof(void *) == 0;
	if (valid && alignment <= PAGE && size >= LARGE && size <= PTRDIFF_MAX) {
		void *block = take(size);
		if (block) {
			*data = block;
			return 0;
		}
	}
	if (!next_memalign)
		next_memalign = (int (*)(void **, size_t, size_t))dlsym(RTLD_NEXT, "posix_memalign");
	return next_memalign(data, alignment, size);
}

void free(void *data) {
	if ((uintptr_t)data % HUGE == 0 && data) { // as all blocks are, and little else
		pthread_mutex_lock(&lock);
		for (int i = 0; i < BLOCKS; i++)
			if (blocks[i].data == data) {
				blocks[i].used = 0;
				pthread_cond_broadcast(&freed);
				pthread_mutex_unlock(&lock);
				return;
			}
		pthread_mutex_unlock(&lock);
	}
	if (!next_free)
		next_free = (void (*)(void *))dlsym(RTLD_NEXT, "free");
	next_free(data);
}
