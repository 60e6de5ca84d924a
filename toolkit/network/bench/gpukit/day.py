#!/usr/bin/env python3
"""The first day on an NVIDIA GPU, with nothing but this folder: no Go, no network, no project.

    python3 day.py             runs the next steps, for nine minutes at most; repeat it until it says that all are over
    python3 day.py --list      lists the steps and their states
    python3 day.py STEP ...    runs these steps, even if they are done

Start it with the Python whose packages have XLA's CUDA plugin (JAX for CUDA 12 or later). The results are in results/:
a log and a line of JSON for each step, measurements, and the runs with their checkpoints in files below 16 MB. If work/
is lost, the runs continue from results/.

GOMLX_BACKEND=xla:/path/plugin.so names another plugin, KIT_MINUTES another time, and KIT_WORK another folder for the
unpacked files; KIT_TINY=1 takes sizes that a CPU computes in seconds.
"""
import glob
import gzip
import hashlib
import importlib.util
import json
import os
import re
import shutil
import signal
import site
import subprocess
import sys
import tarfile
import time

KIT = os.path.dirname(os.path.abspath(__file__))
WORK = os.path.abspath(os.environ.get("KIT_WORK", os.path.join(KIT, "work")))
RESULTS = os.path.join(KIT, "results")
TINY = bool(os.environ.get("KIT_TINY"))
BUDGET = 60 * float(os.environ.get("KIT_MINUTES", "9"))
FILE_BYTES = 15 << 20  # largest size of a file in results
KEPT_BYTES = 64 << 20  # a larger run is packed into results without its checkpoints
GRACE = 5 if TINY else 25  # seconds that a step has to stop


class Step:
    """A command with a time limit in seconds; it starts only if most of that time is left. needs: Python packages without
    which it is left out. run: the run that it trains, in pieces as long as the time that is left."""

    def __init__(self, name, command, limit=500, env=None, needs=(), run=None):
        self.name, self.command, self.limit, self.env, self.needs, self.run = name, command, min(limit, BUDGET), env or {}, needs, run
        self.least = self.limit * (0.15 if run else 0.6)

    def path(self, kind):
        return os.path.join(RESULTS, self.name + kind)

    def state(self):
        try:
            with open(self.path(".json")) as f:
                return json.load(f)
        except (OSError, ValueError):
            return {"status": "open"}


def steps():
    """All steps, in their order."""
    program, contract = os.path.join(WORK, "stochdepth"), os.path.join(WORK, "survivors.test")
    cpu = "cpu" in os.environ["GOMLX_BACKEND"]
    graph = {"STOCHDEPTH_CUDA_GRAPH": "on"}
    # What the peers compiled is kept, for the second death rate, whose program is the same, and for a step that was cut short.
    compiled = {"TORCHINDUCTOR_CACHE_DIR": os.path.join(WORK, "inductor"), "JAX_COMPILATION_CACHE_DIR": os.path.join(WORK, "jax")}

    def bench(name, layers, dtype, *more, rates="0,0.5", limit=500, env=None, needs=()):
        size = ["--layers", str(layers), "--steps", "24"]
        if TINY:  # one measurement of each kind, in a type that a CPU has
            size, rates, dtype = ["--layers", "8", "--batch", "8", "--steps", "2", "--peak=false"], "0.5", dtype.split(",")[-1]
            more = [m for m in more if m != "--open"]
        out = os.path.join(RESULTS, name + ".bench.json")
        return Step(name, [program, "bench", *size, "--dtype", dtype, "--death-rate", rates, "--out", out, *more], limit, env, needs)

    def contract_tests(name, dtype, env=None):
        tests = "^TestContract$/^%s,_8_layers.*_(3|17)_images" if TINY else "^TestContract(AtTest)?$/^%s"
        if cpu:
            env = dict(env or {}, STOCHDEPTH_KERNELS="off")  # the test counts their use over all its cases
        return Step(name, [contract, "-test.v", "-test.run", tests % dtype], env=env)

    def train(run, recipe, *more):
        sizes = ["--recipe", "shapes", "--depth", "8", "--batch-size", "8", "--epochs", "2", "--set", "train_images=40",
                 "--set", "validation_images=8", "--set", "test_images=8"] if TINY else ["--recipe", recipe]
        return Step("train-" + run, [program, "train", "--run", run, *sizes, *more], limit=BUDGET, run=run)

    def peers(*modes):
        """A step for each mode and type of numbers: one that fails or is cut short costs no other."""
        return [bench("peer-110-%s-%s" % (mode.replace(" ", "-"), dtype), 110, dtype, "--peers", "--peer", mode, "--python", sys.executable,
                      limit=300, env=compiled, needs=(mode.split()[0], "numpy"))
                for mode in modes for dtype in (("float32", "bfloat16") if TINY else ("float32", "tf32", "bfloat16"))]

    return [
        Step("machine", ["nvidia-smi"], limit=30),
        Step("doctor", [program, "doctor"], limit=200),
        bench("step", 20, "float32", rates="0"),
        contract_tests("contract-float64", "Float64"),
        contract_tests("contract-float32", "Float32"),
        # Those that were never timed on a GPU, and should be the fastest there, come first.
        *peers("torch compile masked channels_last", "jax mask", "torch eager channels_last", "jax scan", "torch compile channels_last",
               "torch compile masked"),
        bench("bench-20-float32", 20, "float32", "--open"),
        bench("bench-20-others", 20, "tf32,bfloat16"),
        bench("bench-20-graph", 20, "float32,bfloat16", env=graph),
        bench("bench-110-float32", 110, "float32", "--open"),
        bench("bench-110-others", 110, "tf32,bfloat16"),
        bench("bench-110-graph", 110, "float32,bfloat16", env=graph),
        contract_tests("contract-float32-graph", "Float32", env=graph),
        bench("bench-1202-float32", 1202, "float32"),
        bench("bench-1202-bfloat16", 1202, "bfloat16"),
        train("cifar10-stochastic", "cifar10"),
        train("cifar10-constant", "cifar10", "--death-rate", "0"),
        train("cifar100-stochastic", "cifar100"),
        train("cifar100-constant", "cifar100", "--death-rate", "0"),
        train("cifar10-1202-stochastic", "cifar10-1202"),
    ]


def unpack():
    """Checks the kit's files and unpacks them into WORK, once."""
    sums = os.path.join(KIT, "SHA256SUMS")
    with open(sums) as f:
        listed = [line.split(None, 1) for line in f.read().splitlines()]
    with open(sums, "rb") as f:
        kit = hashlib.sha256(f.read()).hexdigest()
    mark = os.path.join(WORK, "unpacked")
    if os.path.exists(mark) and open(mark).read() == kit:
        return
    for digest, name in listed:
        try:
            with open(os.path.join(KIT, name), "rb") as f:
                found = hashlib.sha256()
                for chunk in iter(lambda: f.read(1 << 20), b""):
                    found.update(chunk)
        except OSError:
            sys.exit("%s is not here: bring all files that SHA256SUMS lists into one folder" % name)
        if found.hexdigest() != digest:
            sys.exit("%s is damaged: bring it again" % name)
    os.makedirs(os.path.join(WORK, "data", "cache"), exist_ok=True)
    shutil.copy(os.path.join(KIT, "go.mod"), WORK)  # by which the program finds the folder
    for _, name in listed:
        if name.endswith(".gz"):
            target = os.path.join(WORK, name[:-len(".gz")])
            with gzip.open(os.path.join(KIT, name)) as source, open(target, "wb") as f:
                shutil.copyfileobj(source, f)
            os.chmod(target, 0o755)
    shards = sorted(name for _, name in listed if re.search(r"\.tar\.\d+$", name))
    for archive in sorted({name.rsplit(".", 1)[0] for name in shards}):
        extract([os.path.join(KIT, name) for name in shards if name.startswith(archive + ".")], os.path.join(WORK, "data", "cache"))
    with open(mark, "w") as f:
        f.write(kit)


class Joined:
    """Several files, read as one."""

    def __init__(self, paths):
        self.paths, self.file = list(paths), None

    def read(self, size):
        while True:
            data = self.file.read(size) if self.file else b""
            if data or not self.paths:
                return data
            self.file = open(self.paths.pop(0), "rb")


def extract(paths, folder):
    with tarfile.open(fileobj=Joined(paths), mode="r|*") as archive:
        archive.extractall(folder)


def keep(run):
    """Packs a run into files in results, which replace the earlier files when they are complete."""
    folder = os.path.join(WORK, "data", "runs", run)
    if not os.path.isdir(folder):
        return
    files = [os.path.join(at, name) for at, _, names in os.walk(folder) for name in names if "/checkpoint/work" not in at]
    if sum(os.path.getsize(f) for f in files) > KEPT_BYTES:
        files = [f for f in files if "/checkpoint/" not in f]
    packed = os.path.join(WORK, run + ".tar.gz")
    with tarfile.open(packed, "w:gz", compresslevel=1) as archive:
        for f in sorted(files):
            archive.add(f, os.path.relpath(f, os.path.dirname(folder)))
    fresh = []
    with open(packed, "rb") as f:
        for part in iter(lambda: f.read(FILE_BYTES), b""):
            fresh.append(os.path.join(RESULTS, "run-%s.tar.gz.%02d" % (run, len(fresh))))
            with open(fresh[-1] + ".new", "wb") as out:
                out.write(part)
    for path in fresh:
        os.replace(path + ".new", path)
    for path in set(kept(run)) - set(fresh):
        os.remove(path)
    os.remove(packed)


def kept(run):
    return sorted(glob.glob(os.path.join(glob.escape(RESULTS), "run-%s.tar.gz.[0-9][0-9]" % run)))


def restore(run):
    """Unpacks a run from results, if it is not in WORK."""
    if kept(run) and not os.path.isdir(os.path.join(WORK, "data", "runs", run)):
        extract(kept(run), os.path.join(WORK, "data", "runs"))


def completed(run):
    try:
        with open(os.path.join(WORK, "data", "runs", run, "result.json")) as f:
            return json.load(f)["completed"]
    except (OSError, ValueError, KeyError):
        return False


def backend():
    """Sets GOMLX_BACKEND to XLA's CUDA plugin in Python's packages; the newest CUDA first."""
    if os.environ.get("GOMLX_BACKEND"):
        return
    folders = [p for p in sys.path if p] + site.getsitepackages() + [site.getusersitepackages()]
    found = []
    for folder in folders:
        for pattern in ("jax_plugins/xla_cuda*/*plugin*.so", "xla_plugins/xla_cuda*/*.so"):
            found += glob.glob(os.path.join(glob.escape(folder), pattern))
    if not found:
        sys.exit("No CUDA plugin of XLA is in the packages of %s: start this by the Python that has JAX for CUDA, "
                 "or set GOMLX_BACKEND=xla:/path/plugin.so" % sys.executable)
    version = lambda path: [int(n) for n in re.findall(r"\d+", os.path.basename(os.path.dirname(path)))]
    plugin = max(found, key=version)
    os.environ["GOMLX_BACKEND"] = "xla:" + plugin
    # NVIDIA's libraries lie beside the plugin, where the program finds them, or in another folder of packages.
    others = [lib for folder in folders for lib in glob.glob(os.path.join(glob.escape(folder), "nvidia/*/lib"))]
    if others and not os.path.isdir(os.path.join(plugin, "../../../nvidia")):
        os.environ["LD_LIBRARY_PATH"] = ":".join(dict.fromkeys(filter(None, [os.environ.get("LD_LIBRARY_PATH")] + others)))


def note(step, **what):
    """Writes the outcome of a step, whole or not at all."""
    with open(step.path(".json.new"), "w") as f:
        json.dump(what, f)
    os.replace(step.path(".json.new"), step.path(".json"))
    print("%-26s %s" % (step.name, ", ".join("%s %s" % item for item in what.items() if item[0] != "command")), flush=True)


def execute(step, seconds):
    """Runs a step for at most the given seconds, notes the outcome and returns it as a word."""
    missing = [package for package in step.needs if importlib.util.find_spec(package) is None]
    if missing:
        note(step, status="left out", reason="no " + ", ".join(missing))
        return "left out"
    command, seconds = list(step.command), min(seconds, step.limit)
    if step.run:
        restore(step.run)
        command += ["--max-time", "%ds" % max(1, seconds - 2 * GRACE)]
    started = time.time()
    with open(step.path(".log"), "a" if step.run else "w") as log:
        try:
            process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=WORK, start_new_session=True,
                                       env=dict(os.environ, STOCHDEPTH_ROOT=WORK, GOMLX_NO_AUTO_INSTALL="1", **step.env))
        except OSError as error:
            note(step, status="failed", reason=str(error))
            return "failed"
        try:
            code = process.wait(max(1, seconds - (GRACE if step.run else 0)))
        except subprocess.TimeoutExpired:
            code = None
        finally:  # also after SIGTERM
            end(process)
    status = "done" if code == 0 else "failed"
    if code is None:
        status = "failed" if step.state()["status"] == "cut short" else "cut short"  # the second time it began first, with all its time
    if step.run:
        keep(step.run)
        if not completed(step.run) and code != 0 and "start the same command again" in tail(step.path(".log")):
            status = "goes on"
    note(step, status=status, code=code, seconds=round(time.time() - started, 1), command=" ".join(command))
    return status


def end(process):
    """Stops what is left of a step's processes, first with SIGINT, so that a training makes its checkpoint."""
    for send in (signal.SIGINT, signal.SIGKILL):
        try:
            os.killpg(process.pid, send)
            process.wait(GRACE)
        except (OSError, subprocess.TimeoutExpired):
            pass


def tail(path):
    with open(path, errors="replace") as f:
        return f.read()[-2000:]


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by a signal: start it again to go on"))
    started = time.time()
    os.makedirs(RESULTS, exist_ok=True)
    backend()
    plan = steps()
    unknown = set(sys.argv[1:]) - {s.name for s in plan} - {"--list"}
    if unknown:
        sys.exit("There is no step %s: --list names them" % ", ".join(sorted(unknown)))
    if "--list" in sys.argv:
        for step in plan:
            print("%-26s %s" % (step.name, step.state()["status"]))
        return
    unpack()
    with open(os.path.join(KIT, "commit")) as f:
        os.environ["STOCHDEPTH_COMMIT"] = f.read().strip()  # for the records
    chosen = [s for s in plan if s.name in sys.argv] or [s for s in plan if s.state()["status"] not in ("done", "failed", "left out")]
    for step in chosen:
        left = BUDGET - (time.time() - started)
        if left < step.least:
            print("The time is over: start it again for %s." % step.name)
            return
        if execute(step, left) in ("cut short", "goes on"):
            print("The time is over: start it again to go on with %s." % step.name)
            return
    failed = [s.name for s in plan if s.state()["status"] == "failed"]
    print("All steps are over. Failed: %s" % (", ".join(failed) or "none"))


if __name__ == "__main__":
    main()
