// Uses large blocks of memory as XLA does, before the allocator is started and after. Prints what is wrong, or nothing.

#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../allocator.h"

#define CHECK(condition) do { if (!(condition)) { printf("line %d: not %s\n", __LINE__, #condition); exit(1); } } while (0)

enum { MB = 1 << 20 };

static char *take(size_t size) {
	void *data = NULL;
	CHECK(posix_memalign(&data, 64, size) == 0 && data);
	return data;
}

// resident returns the resident memory of this process, in bytes.
static size_t resident(void) {
	size_t total, pages;
	FILE *f = fopen("/proc/self/statm", "r");
	CHECK(f && fscanf(f, "%zu %zu", &total, &pages) == 2);
	fclose(f);
	return pages * sysconf(_SC_PAGESIZE);
}

static void *free_soon(void *data) {
	usleep(5000);
	free(data);
	return NULL;
}

// kept reports whether a block that is given back stays in the process.
static int kept(void) {
	char *data = take(100 * MB);
	memset(data, 1, 100 * MB);
	size_t used = resident();
	free(data);
	return resident() + 50 * (size_t)MB > used;
}

// before checks that no block is kept, and that all functions that take a block accept the C library's.
static void before(void) {
	CHECK(!stochdepth_allocator_started() && !kept() && !kept());
	char *data = take(100 * MB);
	CHECK((uintptr_t)data % (2 * MB));
	CHECK(malloc_usable_size(data) >= 100 * MB);
	data[0] = 1;
	CHECK((data = realloc(data, 150 * MB)) && data[0] == 1 && (data = reallocarray(data, 3, 60 * MB)) && data[0] == 1);
	free(data);
	CHECK(!kept());
	void *aligned; // begins where a block of ours could begin
	CHECK(!posix_memalign(&aligned, 2 * MB, 100 * MB) && malloc_usable_size(aligned) >= 100 * MB);
	free(aligned);
}

int main(void) {
	before();
	char *earlier = take(100 * MB), *here; // here begins where a block of ours could begin
	CHECK(!posix_memalign((void **)&here, 2 * MB, 100 * MB));
	stochdepth_start_allocator();
	CHECK(stochdepth_allocator_started());
	size_t with = resident();
	memset(earlier, 1, 100 * MB), memset(here, 1, 100 * MB);
	CHECK(malloc_usable_size(earlier) >= 100 * MB && (earlier = realloc(earlier, 150 * MB)) && earlier[50 * MB] == 1);
	free(earlier), free(here);
	CHECK(resident() < with + 10 * (size_t)MB);
	CHECK(kept());

	// A block stays as it is for the next request that fits, whatever was allocated in the heap meanwhile.
	char *first = take(100 * MB);
	memset(first, 7, 100 * MB);
	free(first);
	char *small = malloc(1000);
	for (int i = 0; i < 100; i++) {
		char *again = take(90 * MB + i);
		CHECK(again == first && again[50 * MB] == 7);
		free(again);
	}
	free(small);

	// Two blocks in use are two different ones.
	char *a = take(100 * MB), *b = NULL;
	b = take(100 * MB);
	CHECK(a != b);
	memset(a, 1, 100 * MB), memset(b, 2, 100 * MB);
	CHECK(a[0] == 1 && a[100 * MB - 1] == 1 && b[0] == 2);
	free(a), free(b);

	// A request that fits none of the free blocks unmaps them.
	size_t used = resident();
	char *large = take(400 * MB);
	CHECK(used - resident() > 190 * (size_t)MB);
	memset(large, 3, 400 * MB);
	free(large);
	small = take(64 * MB); // for which the large block is too large
	CHECK(small != large && resident() < used);
	free(small);

	// A request waits for a block that is about to be given back.
	a = take(100 * MB);
	pthread_t thread;
	CHECK(!pthread_create(&thread, NULL, free_soon, a));
	b = take(100 * MB);
	CHECK(a == b);
	pthread_join(thread, NULL);
	free(b);

	// A block can be measured and resized, as one from malloc can.
	a = take(100 * MB);
	a[0] = 1, a[100 * MB - 1] = 2;
	CHECK(malloc_usable_size(a) >= 100 * MB && realloc(a, 100) == a);
	a = reallocarray(a, 150, MB);
	CHECK(a && a[0] == 1 && a[100 * MB - 1] == 2);
	CHECK(!reallocarray(a, SIZE_MAX / 2, 3) && errno == ENOMEM);
	free(a);
	CHECK(!realloc(take(100 * MB), 0));

	// A block that is given back twice ends the program, with a message.
	int out[2], status;
	CHECK(!pipe(out));
	pid_t child = fork();
	if (!child) {
		dup2(out[1], STDERR_FILENO);
		a = take(100 * MB);
		free(a);
		free(a);
		_exit(0);
	}
	char said[100] = "";
	CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	CHECK(read(out[0], said, sizeof said - 1) > 0 && strstr(said, "twice"));

	// Everything else is the C library's.
	char *many[1000];
	for (int i = 0; i < 1000; i++) {
		void *data;
		CHECK(!posix_memalign(&data, 1 << (3 + i % 10), 10 * i + 1) && (uintptr_t)data % (1 << (3 + i % 10)) == 0);
		memset(many[i] = data, i, 10 * i + 1);
	}
	for (int i = 0; i < 1000; i++) {
		CHECK(malloc_usable_size(many[i]) > 10 * i && (many[i] = realloc(many[i], 20 * i + 1)) && many[i][10 * i] == (char)i);
		free(many[i]);
	}
	void *data;
	CHECK(posix_memalign(&data, 24, 100) == EINVAL && posix_memalign(&data, 4, 100) == EINVAL && posix_memalign(&data, 0, 100 * MB) == EINVAL);
	CHECK(posix_memalign(&data, 64, SIZE_MAX / 4) == ENOMEM && posix_memalign(&data, 64, SIZE_MAX - 100) == ENOMEM);
	free(NULL);
	return 0;
}
