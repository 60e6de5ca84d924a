// The small part of XLA's C interface for foreign functions (FFI), version 0.1, that this package uses, with names of our
// own: the calls that the CPU plugin makes. Within a major version its structs only grow at their ends.
#ifndef STOCHDEPTH_XLA_H
#define STOCHDEPTH_XLA_H

#include <stddef.h>
#include <stdint.h>

enum { FFI_BUFFER = 1 }; // kind of an argument or result
enum { FFI_S32 = 4, FFI_F32 = 11 }; // types of elements
enum { FFI_INVALID_ARGUMENT = 3, FFI_RESOURCE_EXHAUSTED = 8 }; // codes of errors
enum { FFI_MAJOR = 0, FFI_MINOR = 1, FFI_EXTENSION_METADATA = 1, FFI_STAGE_EXECUTE = 3 };

typedef struct ffi_extension {
	size_t size;
	int type;
	struct ffi_extension *next;
} ffi_extension;

typedef struct {
	ffi_extension base;
	struct {
		size_t size;
		struct {
			size_t size;
			ffi_extension *extensions;
			int major, minor;
		} version;
		uint32_t traits;
	} *metadata;
} ffi_metadata_extension;

typedef struct {
	size_t size;
	ffi_extension *extensions;
	int dtype;
	void *data;
	int64_t rank;
	int64_t *dims;
} ffi_buffer;

typedef struct { // arguments or results
	size_t size;
	ffi_extension *extensions;
	int64_t count;
	int *types;
	ffi_buffer **buffers;
} ffi_buffers;

typedef struct {
	size_t size;
	ffi_extension *extensions;
	const char *message; // copied
	int code;
} ffi_create_error_args;

typedef struct {
	size_t size;
	ffi_extension *extensions;
	void *error;
} ffi_error_args;

typedef struct {
	size_t size;
	ffi_extension *extensions;
	void *context;
	void (*task)(void *);
	void *data;
} ffi_schedule_args;

typedef struct {
	size_t size;
	ffi_extension *extensions;
	void *context;
	int64_t *threads;
} ffi_threads_args;

typedef struct {
	size_t size;
	ffi_extension *extensions;
	struct {
		size_t size;
		ffi_extension *extensions;
		int major, minor;
	} version;
	void *internal;
	void *(*create_error)(ffi_create_error_args *);
	void *message; // XLA_FFI_Error_GetMessage
	void (*destroy_error)(ffi_error_args *);
	void *skipped[8]; // XLA_FFI_Handler_Register to XLA_FFI_DeviceMemory_Free
	void *(*schedule)(ffi_schedule_args *); // like threads, it returns an error or NULL
	void *(*threads)(ffi_threads_args *);
} ffi_api;

typedef struct {
	size_t size;
	ffi_extension *extensions;
	const ffi_api *api;
	void *context;
	int stage;
	ffi_buffers arguments, results;
	// attributes follow
} ffi_call;

#endif
