"""Compiles the project's programs for an NVIDIA H100 on a machine without a GPU (XLA's deviceless compilation), and
compares the result with the recorded table, data/bench/gpu-check.json. Run it with: make gpu-check

It fails if a program does not compile, if a turn of a loop copies a stack, or if memory grew by a tenth. It cannot
measure time, as nothing is run."""

import argparse
import glob
import json
import os
import re
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
RECORD = os.path.join(HERE, "../../../../data/bench/gpu-check.json")
GRAPHS = "--xla_gpu_experimental_enable_conv_fusion=true --xla_gpu_enable_command_buffer=+WHILE,+CONDITIONAL"

# What is compiled: arguments of `stochdepth program`, and XLA's flags.
CASES = {
    "20 layers, float32": ("--layers 20", ""),
    "20 layers, bfloat16": ("--layers 20 --dtype bfloat16", ""),
    "20 layers, float32, one CUDA graph": ("--layers 20", GRAPHS),
    "20 layers, float32, evaluation": ("--layers 20 --evaluation", ""),
    "20 layers, float32, two devices": ("--layers 20 --devices 2", ""),
    "110 layers, float32": ("--layers 110", ""),
    "110 layers, bfloat16": ("--layers 110 --dtype bfloat16", ""),
    "1202 layers, float32": ("--layers 1202", ""),
    "1202 layers, bfloat16": ("--layers 1202 --dtype bfloat16", ""),
    "1202 layers, float32, recomputed": ("--layers 1202 --recompute", ""),
}


def compile_program(program, out, devices):
    """Compiles StableHLO for an H100, writes the optimised HLO, and prints its compile time and memory as JSON."""
    os.environ.setdefault("JAX_SKIP_CUDA_CONSTRAINTS_CHECK", "1")
    import numpy
    from jax._src.interpreters import mlir
    from jax._src.lib import _jax, xla_client
    from jax.experimental import topologies
    from jaxlib.mlir import ir

    with open(os.path.join(HERE, "h100.textproto")) as f:
        target = f.read()
    topology = topologies.get_topology_desc(platform="cuda", topology_name="h100", topology=f"1x1x{devices}", target_config=target)
    options = xla_client.CompileOptions()
    options.num_replicas, options.num_partitions, options.compile_portable_executable = 1, devices, False
    if devices > 1:
        options.executable_build_options.use_spmd_partitioning = True
        options.executable_build_options.use_shardy_partitioner = True
        options.device_assignment = xla_client.DeviceAssignment.create(numpy.arange(devices).reshape(1, devices))
    with mlir.make_ir_context():
        with open(program) as f:
            module = ir.Module.parse(f.read())
        start = time.time()
        compiled = topology.devices[0].client.compile(module, _jax.DeviceList(tuple(topology.devices[:devices])), options)
    seconds = time.time() - start
    with open(out, "w") as f:
        f.write(compiled.hlo_modules()[0].to_string())
    memory = compiled.get_compiled_memory_stats()
    json.dump({
        "compile_s": round(seconds, 1),
        "arguments_MB": round(memory.argument_size_in_bytes / 1e6, 1),
        "outputs_MB": round(memory.output_size_in_bytes / 1e6, 1),
        "aliased_MB": round(memory.alias_size_in_bytes / 1e6, 1),
        "temporary_MB": round(memory.temp_size_in_bytes / 1e6, 1),
    }, sys.stdout)


def measure(stochdepth, name, folder):
    """Makes and compiles one program, and returns its row."""
    from hlo import Module

    arguments, flags = CASES[name]
    words = arguments.split()
    devices = int(words[words.index("--devices") + 1]) if "--devices" in words else 1
    program, out, dump = (os.path.join(folder, f) for f in ("step.mlir", "step.hlo", "dump"))
    subprocess.run([stochdepth, "program", program, "--target", "cuda", *words], check=True)
    environment = dict(os.environ, XLA_FLAGS=f"--xla_dump_to={dump} --xla_dump_hlo_as_text {flags}")
    ran = subprocess.run([sys.executable, __file__, "--compile", program, out, str(devices)], env=environment,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if ran.returncode != 0:
        lines = [line for line in ran.stderr.splitlines() if line.strip()]
        return {"error": lines[-1] if lines else f"exit status {ran.returncode}"}
    row = json.loads(ran.stdout.splitlines()[-1])
    read = lambda pattern: "".join(open(f).read() for f in sorted(glob.glob(os.path.join(dump, pattern)))[:1])
    with open(out) as f:
        module = Module(f.read(), read("*thunk_sequence.txt"))
    row["loops"] = [{
        "launches": len(loop.launches),
        "MB": round(loop.bytes / 1e6, 1),
        "fewest_blocks": min((b for _, moved, b in loop.launches if b and moved > 1e6), default=0),
        "copies": loop.copies,
    } for loop in module.loops]
    row["loops_that_wait"] = outside_of_graphs(read("*after_thunk_passes.txt"))
    return row


def outside_of_graphs(thunks):
    """Counts the loops outside of command buffers (CUDA graphs): each turn of such a loop waits for the host."""
    loops, graph = 0, None  # graph: the indentation of the command buffer around the line
    for line in thunks.splitlines():
        if not (m := re.match(r"^( *)\d+: (k\w+)", line)):
            continue
        indentation = len(m[1])
        if graph is not None and indentation <= graph:
            graph = None
        if graph is None and m[2] == "kCommandBuffer":
            graph = indentation
        loops += graph is None and m[2] == "kWhile"
    return loops


def problems(name, row, recorded):
    if "error" in row:
        return [f"{name} does not compile: {row['error']}"]
    found = [f"{name}: a turn of a loop copies a stack: {', '.join(l['copies'])}" for l in row["loops"] if l["copies"]]
    old = recorded.get(name, {})
    for key in ("arguments_MB", "outputs_MB", "temporary_MB"):
        if key in old and row[key] > 1.1 * old[key] + 1:
            found.append(f"{name}: {key.replace('_', ', ')} grew from {old[key]} to {row[key]}")
    return found


def show(rows):
    print(f"{'program':38} {'compile':>8} {'arguments':>10} {'temporary':>10} {'aliased':>8}  loops that wait; launches, MB, fewest thread blocks of each loop's turn")
    for name, row in rows.items():
        if "error" in row:
            print(f"{name:38} {row['error'][:120]}")
            continue
        loops = "; ".join(f"{l['launches']}, {l['MB']:.0f}, {l['fewest_blocks'] or '?'}" for l in row["loops"])
        print(f"{name:38} {row['compile_s']:6.1f} s {row['arguments_MB']:7.1f} MB {row['temporary_MB']:7.1f} MB {row['aliased_MB']:5.1f} MB  {row['loops_that_wait']}; {loops}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("stochdepth", help="the command")
    parser.add_argument("--only", default="", help="programs whose name contains this")
    parser.add_argument("--update", action="store_true", help="write the recorded table")
    parser.add_argument("--keep", help="leave programs and dumps in this folder")
    o = parser.parse_args()
    recorded = json.load(open(RECORD))["programs"] if os.path.exists(RECORD) else {}
    rows, found = {}, []
    for name in CASES:
        if o.only not in name:
            continue
        print(f"{name} ...", file=sys.stderr)
        with tempfile.TemporaryDirectory() as folder:
            if o.keep:
                folder = os.path.join(o.keep, name.replace(", ", "-").replace(" ", "-"))
                os.makedirs(folder, exist_ok=True)
            rows[name] = measure(o.stochdepth, name, folder)
        found += problems(name, rows[name], recorded)
    show(rows)
    for problem in found:
        print(problem, file=sys.stderr)
    if o.update and not any("error" in row for row in rows.values()):
        with open(RECORD, "w") as f:
            json.dump({"description": "make gpu-check: the programs compiled for an H100 without a GPU, minibatches of 128",
                       "programs": recorded | rows}, f, indent=1)
            f.write("\n")
    return 1 if found else 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--compile"]:
        compile_program(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        sys.exit(main())
