#!/usr/bin/env bash
# TensorBoard 2.21.0: an event file that is replaced while TensorBoard runs is not read
# again. A file that is appended to is read.
#
# Programs that never want half a file write a new one and rename it over the old
# one. The default loader keeps the old one open and waits for it to grow, and the
# curve stands still without a message. The slower loader does read the new file.
# (tensorflow/tensorboard's issue 349; the help of --detect_file_replacement names it.)
#
# Instead: append to event files, or start TensorBoard with --load_fast=false.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

python_packages tensorboard==2.21.0
cat >watch.py <<'PY'
import json, os, shutil, socket, subprocess, sys, time, urllib.request
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.summary.writer.record_writer import RecordWriter


def write(file, steps, mode):
    with open(file, mode) as f:
        records = RecordWriter(f)
        if mode == "wb":
            records.write(Event(wall_time=1, file_version="brain.Event:2").SerializeToString())
        for step in steps:
            value = Summary.Value(tag="loss", simple_value=step)
            records.write(Event(wall_time=step + 1, step=step, summary=Summary(value=[value])).SerializeToString())


def points(run):
    try:
        with web.open(f"http://127.0.0.1:{port}/data/plugin/scalars/scalars?run={run}&tag=loss", timeout=5) as answer:
            return len(json.load(answer))
    except OSError:  # not up yet, or no such curve yet
        return 0


def wait(run, number, seconds):
    end = time.monotonic() + seconds
    while points(run) != number and time.monotonic() < end:
        time.sleep(0.5)


name = "events.out.tfevents.1.host"
for run in "appended", "replaced":
    os.makedirs(f"logs/{run}")
    write(f"logs/{run}/{name}", range(5), "wb")
with socket.socket() as s:
    s.bind(("127.0.0.1", 0))
    port = s.getsockname()[1]
web = urllib.request.build_opener(urllib.request.ProxyHandler({}))
board = subprocess.Popen(
    [sys.executable, "-m", "tensorboard.main", "--logdir=logs", "--host=127.0.0.1", f"--port={port}", "--reload_interval=1", *sys.argv[1:]],
    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
try:
    wait("appended", 5, 60)
    wait("replaced", 5, 10)
    print(*sys.argv[1:] or ["default"], "five records: appended", points("appended"), "replaced", points("replaced"))
    write(f"logs/appended/{name}", range(5, 10), "ab")
    write("logs/new", range(10), "wb")
    os.rename("logs/new", f"logs/replaced/{name}")
    wait("appended", 10, 30)
    wait("replaced", 10, 10)
    print(*sys.argv[1:] or ["default"], "ten records: appended", points("appended"), "replaced", points("replaced"))
finally:
    board.terminate()
    board.wait()
    shutil.rmtree("logs")
PY
seen=$(venv/bin/python watch.py; venv/bin/python watch.py --load_fast=false)
verdict "default five records: appended 5 replaced 5
default ten records: appended 10 replaced 10
--load_fast=false five records: appended 5 replaced 5
--load_fast=false ten records: appended 10 replaced 10" \
	"default five records: appended 5 replaced 5
default ten records: appended 10 replaced 5
--load_fast=false five records: appended 5 replaced 5
--load_fast=false ten records: appended 10 replaced 10" "$seen"
