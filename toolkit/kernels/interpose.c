//go:build linux && amd64 && cgo && !nokernels

#include "interpose.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "calls.h"
#include "xla.h"

// Exported by kernels.go: the program to compile instead, from malloc, or NULL to leave it.
extern char *stochdepthRewrite(char *code, size_t size, size_t *new_size);

static const pjrt_api *plugin;

// compile hands XLA the program with our kernels in it.
static void *compile(pjrt_compile_args *args) {
	const pjrt_program *program = args->program;
	size_t size = 0;
	char *code = NULL;
	if (program->format_size == 4 && memcmp(program->format, "mlir", 4) == 0)
		code = stochdepthRewrite(program->code, program->code_size, &size);
	if (!code)
		return plugin->compile(args);
	pjrt_program ours = *program;
	ours.code = code;
	ours.code_size = size;
	args->program = &ours;
	void *error = plugin->compile(args);
	args->program = program;
	free(code);
	return error;
}

const char *stochdepth_interpose(const char *path, void **api) {
	void *library = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
	if (!library)
		return dlerror();
	const pjrt_api *(*get)(void) = (const pjrt_api *(*)(void))dlsym(library, "GetPjrtApi");
	if (!get || !(plugin = get()))
		return "it has no GetPjrtApi";
	if (plugin->version.major != 0)
		return "its PJRT version is unknown";
	const pjrt_ffi_extension *ffi = NULL;
	for (pjrt_extension *e = plugin->extensions; e; e = e->next)
		if (e->type == PJRT_EXTENSION_FFI && e->size >= sizeof *ffi)
			ffi = (const pjrt_ffi_extension *)e;
	if (!ffi)
		return "it offers no foreign functions";
	static const struct {
		const char *target;
		void *(*handler)(ffi_call *);
	} functions[] = {
		{"stochdepth_forward", stochdepth_call_forward},
		{"stochdepth_backward", stochdepth_call_backward},
		{"stochdepth_test", stochdepth_call_test},
		{"stochdepth_stem", stochdepth_call_stem},
		{"stochdepth_stem_gradient", stochdepth_call_stem_gradient},
		{"stochdepth_convolve", stochdepth_call_convolve},
		{"stochdepth_kernel_gradient", stochdepth_call_kernel_gradient},
		{"stochdepth_memory", stochdepth_call_memory},
	};
	for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
		pjrt_register_args args = {
			.size = sizeof args, .target = functions[i].target, .target_size = strlen(functions[i].target),
			.handler = (void *)functions[i].handler, .platform = "Host", .platform_size = 4,
		};
		if (ffi->register_handler(&args))
			return "it refuses foreign functions";
	}
	pjrt_api *ours = malloc(plugin->size);
	if (!ours)
		return "memory is short";
	memcpy(ours, plugin, plugin->size);
	ours->compile = compile;
	*api = ours;
	return NULL;
}
