// The small part of two of XLA's C interfaces that this package uses, in its own words: PJRT's table of
// functions, to see programs before they are compiled and to keep what they become, and the calls into
// foreign functions (FFI) that the CPU plugin makes. Both interfaces only grow at their ends within a major
// version.
#ifndef STOCHDEPTH_XLA_H
#define STOCHDEPTH_XLA_H

#include <stddef.h>
#include <stdint.h>

// --- PJRT, major version 0 ---

typedef struct pjrt_extension {
	size_t size;
	int type;
	struct pjrt_extension *next;
} pjrt_extension;

enum { PJRT_EXTENSION_FFI = 5 };

typedef struct { // read by the plugin as it comes; owned by the caller
	size_t size;
	pjrt_extension *extensions;
	char *code;
	size_t code_size;
	const char *format; // "mlir": StableHLO, as text or bytecode
	size_t format_size;
} pjrt_program;

typedef struct {
	size_t size;
	pjrt_extension *extensions;
	void *client;
	const pjrt_program *program;
	char *options;
	size_t options_size;
	void *executable; // out; a loaded one
} pjrt_compile_args;

typedef struct {
	size_t size;
	pjrt_extension *extensions;
	void *object, *result;
} pjrt_object_args; // of several functions: one object, and what comes of it, if anything

typedef struct {
	size_t size;
	pjrt_extension *extensions;
	const void *executable;
	char *bytes; // out; until they are deleted
	size_t bytes_size;
	void *owner;
	void (*delete)(void *owner);
} pjrt_serialize_args;

typedef struct {
	size_t size;
	pjrt_extension *extensions;
	void *client;
	const char *bytes;
	size_t bytes_size;
	void *executable; // out; a loaded one
	const char *options; // NULL: as it was compiled
	size_t options_size;
} pjrt_load_args;

typedef struct {
	size_t size;
	pjrt_extension *extensions;
	struct {
		size_t size;
		pjrt_extension *extensions;
		int major, minor;
	} version;
	// The functions in their order; all that can fail return an error or NULL.
	void (*destroy_error)(pjrt_object_args *);
	void *skipped1[19]; // PJRT_Error_Message to PJRT_Client_AddressableMemories
	void *(*compile)(pjrt_compile_args *);
	void *skipped2[19]; // PJRT_Client_DefaultDeviceAssignment to PJRT_Memory_AddressableByDevices
	void *(*destroy_executable)(pjrt_object_args *);
	void *skipped3[8]; // PJRT_Executable_Name to PJRT_Executable_OptimizedProgram
	void *(*serialize)(pjrt_serialize_args *);
	void *skipped4; // PJRT_LoadedExecutable_Destroy
	void *(*get_executable)(pjrt_object_args *); // of a loaded one
	void *skipped5[4]; // PJRT_LoadedExecutable_AddressableDevices to PJRT_LoadedExecutable_Execute
	void *(*load)(pjrt_load_args *);
	// more functions follow
} pjrt_api;

typedef struct {
	size_t size;
	const char *target;
	size_t target_size;
	void *handler;
	const char *platform;
	size_t platform_size;
	int traits;
} pjrt_register_args;

typedef struct {
	pjrt_extension base;
	void *type_register, *user_data_add;
	void *(*register_handler)(pjrt_register_args *); // returns an error or NULL
} pjrt_ffi_extension;

// --- Foreign functions, version 0.1 ---

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
	void *(*schedule)(ffi_schedule_args *); // both return an error or NULL
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
