// The small part of PJRT, XLA's C interface, major version 0, that this package uses, with names of our own: the table of a
// plugin's functions, to see programs before they are compiled, to keep their executables, and to register foreign
// functions. Within a major version it only grows at its end.
#ifndef STOCHDEPTH_PJRT_H
#define STOCHDEPTH_PJRT_H

#include <stddef.h>

typedef struct pjrt_extension {
	size_t size;
	int type;
	struct pjrt_extension *next;
} pjrt_extension;

enum { PJRT_EXTENSION_FFI = 5 };

typedef struct { // the plugin only reads it; it belongs to the caller
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
	void *executable; // result: a loaded one
} pjrt_compile_args;

typedef struct {
	size_t size;
	pjrt_extension *extensions;
	void *object, *result;
} pjrt_object_args; // of several functions: an object, and the result, if any

typedef struct {
	size_t size;
	pjrt_extension *extensions;
	const void *executable;
	char *bytes; // result, valid until delete is called
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
	void *executable; // result: a loaded one
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
	// The functions in their order; those that can fail return an error or NULL.
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

#endif
