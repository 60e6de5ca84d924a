//go:build linux && amd64 && cgo && !nokernels

#include "interpose.h"

#include <dlfcn.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pjrt.h"

// Exported by interpose.go: the program that the plugin at path compiles instead, from malloc, or NULL to keep the program.
extern char *stochdepthRewrite(char *path, char *code, size_t size, size_t *new_size);

// Also exported there: they return the kept executable of a program, from malloc, or NULL; count one that was loaded; and
// keep one.
extern void *stochdepthFind(char *path, char *program, size_t program_size, char *options, size_t options_size, size_t *size);
extern void stochdepthLoaded(void);
extern void stochdepthKeep(char *path, char *program, size_t program_size, char *options, size_t options_size, char *executable, size_t size);

// A plugin behind this file. It stays to the end of the process.
typedef struct {
	const pjrt_api *api; // its own
	pjrt_api *ours;
	char *path;
} plugin_entry;

// failed reports whether there is an error, and destroys it.
static int failed(const pjrt_api *plugin, void *error) {
	if (error)
		plugin->destroy_error(&(pjrt_object_args){.size = offsetof(pjrt_object_args, result), .object = error});
	return error != NULL;
}

// keep keeps the executable that was compiled by args.
static void keep(const plugin_entry *p, const pjrt_compile_args *args) {
	const pjrt_api *plugin = p->api;
	pjrt_object_args get = {.size = sizeof get, .object = args->executable};
	if (failed(plugin, plugin->get_executable(&get)))
		return;
	pjrt_serialize_args serialize = {.size = sizeof serialize, .executable = get.result};
	if (!failed(plugin, plugin->serialize(&serialize))) {
		stochdepthKeep(p->path, args->program->code, args->program->code_size, args->options, args->options_size,
			serialize.bytes, serialize.bytes_size);
		serialize.delete(serialize.owner);
	}
	failed(plugin, plugin->destroy_executable(&(pjrt_object_args){.size = offsetof(pjrt_object_args, result), .object = get.result}));
}

// load_or_compile loads a program's executable if one was kept, or else compiles it.
static void *load_or_compile(const plugin_entry *p, pjrt_compile_args *args) {
	const pjrt_api *plugin = p->api;
	pjrt_load_args load = {.size = sizeof load, .client = args->client};
	void *kept = stochdepthFind(p->path, args->program->code, args->program->code_size, args->options, args->options_size, &load.bytes_size);
	if (kept) {
		load.bytes = kept;
		int missed = failed(plugin, plugin->load(&load));
		free(kept);
		if (!missed) {
			args->executable = load.executable;
			stochdepthLoaded();
			return NULL;
		}
	}
	void *error = plugin->compile(args);
	if (!error)
		keep(p, args);
#ifdef __GLIBC__
	malloc_trim(0); // the hundreds of MB that compiling took, or the first step's memory would come on top of them
#endif
	return error;
}

// compile lets XLA compile the program as we want it.
static void *compile(const plugin_entry *p, pjrt_compile_args *args) {
	const pjrt_program *program = args->program;
	size_t size = 0;
	char *code = NULL;
	if (program->format_size == 4 && memcmp(program->format, "mlir", 4) == 0)
		code = stochdepthRewrite(p->path, program->code, program->code_size, &size);
	if (!code)
		return load_or_compile(p, args);
	pjrt_program ours = *program;
	ours.code = code;
	ours.code_size = size;
	args->program = &ours;
	void *error = load_or_compile(p, args);
	args->program = program;
	free(code);
	return error;
}

// PJRT's function that compiles gets a client, but cannot tell its plugin from it. So each plugin has its own function.
enum { PLUGINS = 4 };
static plugin_entry plugins[PLUGINS];
static void *compile0(pjrt_compile_args *args) { return compile(&plugins[0], args); }
static void *compile1(pjrt_compile_args *args) { return compile(&plugins[1], args); }
static void *compile2(pjrt_compile_args *args) { return compile(&plugins[2], args); }
static void *compile3(pjrt_compile_args *args) { return compile(&plugins[3], args); }
static void *(*const compile_of[PLUGINS])(pjrt_compile_args *) = {compile0, compile1, compile2, compile3};

// register_functions registers functions with the plugin, which can then call them. It returns what is wrong, or NULL.
static const char *register_functions(const pjrt_api *plugin, const foreign_function *functions, size_t count) {
	const pjrt_ffi_extension *ffi = NULL;
	for (pjrt_extension *e = plugin->extensions; e; e = e->next)
		if (e->type == PJRT_EXTENSION_FFI && e->size >= sizeof *ffi)
			ffi = (const pjrt_ffi_extension *)e;
	if (!ffi)
		return "it offers no foreign functions";
	for (size_t i = 0; i < count; i++) {
		pjrt_register_args args = {
			.size = sizeof args, .target = functions[i].target, .target_size = strlen(functions[i].target),
			.handler = functions[i].handler, .platform = "Host", .platform_size = 4,
		};
		if (ffi->register_handler(&args))
			return "it refuses foreign functions";
	}
	return NULL;
}

const char *stochdepth_interpose(const char *path, const foreign_function *functions, size_t count, void **api) {
	void *library = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
	if (!library)
		return dlerror();
	const pjrt_api *(*get)(void) = (const pjrt_api *(*)(void))dlsym(library, "GetPjrtApi");
	const pjrt_api *plugin = get ? get() : NULL;
	if (!plugin)
		return "it has no GetPjrtApi";
	int entry = 0;
	for (; entry < PLUGINS && plugins[entry].api; entry++)
		if (plugins[entry].api == plugin) { // the same plugin by another path
			*api = plugins[entry].ours;
			return NULL;
		}
	if (entry == PLUGINS)
		return "too many plugins are in use";
	if (plugin->version.major != 0 || plugin->size < sizeof *plugin)
		return "its PJRT version is unknown";
	const char *refused = count ? register_functions(plugin, functions, count) : NULL;
	if (refused)
		return refused;
	pjrt_api *ours = malloc(plugin->size);
	char *copy = strdup(path);
	if (!ours || !copy) {
		free(ours);
		free(copy);
		return "memory is short";
	}
	memcpy(ours, plugin, plugin->size);
	ours->compile = compile_of[entry];
	plugins[entry] = (plugin_entry){plugin, ours, copy};
	*api = ours;
	return NULL;
}
