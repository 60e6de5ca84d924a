# `make` lists the targets. Everything is installed inside this folder (.venv, .bin); only the download caches of Go and
# pip lie elsewhere.

PLUGIN ?= cpu
PYTHON ?= python3
PORT   ?= 8888

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

# Paths in rules are relative and paths in recipes are quoted: the path of this folder may contain spaces, which make does
# not allow in a rule.
export STOCHDEPTH_ROOT      := $(CURDIR)
export JUPYTER_DATA_DIR     := $(CURDIR)/.venv/share/jupyter
export JUPYTER_RUNTIME_DIR  := $(CURDIR)/.venv/share/jupyter/runtime
export JUPYTER_CONFIG_DIR   := $(CURDIR)/.venv/etc/jupyter
export JUPYTER_CONFIG_PATH  := $(CURDIR)/notebooks/jupyter
export IPYTHONDIR           := $(CURDIR)/.venv/etc/ipython
export STATICCHECK_CACHE    := $(CURDIR)/.bin/cache
export GOBIN                := $(CURDIR)/.bin
export GOWORK               := off
export PYTHONNOUSERSITE     := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1

python := .venv/bin/python
jupyter_stamp := .venv/stamps/$(PLUGIN)
kernel_stamp  := .venv/stamps/kernel
quickstart    := notebooks/00_quickstart.ipynb
notebooks     := $(wildcard notebooks/*.ipynb notebooks/solutions/*.ipynb)

# Executes a notebook in its own folder. The copy with its outputs goes to the folder $(1); the notebook itself stays as
# it is. Sliders are left out.
execute = STOCHDEPTH_HEADLESS=true $(python) -m nbconvert --log-level=WARN --execute \
	--ExecutePreprocessor.record_timing=False --output-dir "$(1)"

.PHONY: help
help:
	@cat <<'END'
	make run     set up, execute the quickstart notebook, write its figure to .out
	make lab     set up, open copies of the notebooks (in lab/) in JupyterLab
	make slides  slides of a notebook, for a lecture (NOTEBOOK=01_the_idea)
	make handouts    notebooks and questions without the answers, for students
	make test    all checks, tests and notebooks (small), in ten to fifteen minutes; the first time up to half an hour
	make test-fast   checks and most tests, in a minute and a half
	make fuzz    feed damaged files to every reader, for a few minutes
	make torture crashes, kills and fuzzing by the thousand (about two hours)
	make bench   time training steps on this machine
	make bench-blocks  the same with all kinds of blocks beside PyTorch, which it installs, and compile times
	make bench-peers  the paper's and ImageNet's networks beside PyTorch and JAX, which it installs
	make rates   measure what a rate means in other libraries (6 GB to install)
	make gpu-check   compile for an NVIDIA H100 without having one (6 GB to install)
	make gpu-kit     pack what a machine with an NVIDIA GPU and without Go needs
	make check   gofmt, go vet, staticcheck
	make setup   install what these targets need, into .venv and .bin
	make clean   remove what setup installed (data and results stay)

	PLUGIN=cuda13 (with run, lab, test or setup) uses an NVIDIA GPU.
	The command line: go run ./toolkit/cmd/stochdepth
	END

.PHONY: run
run: setup
	@echo "Compiling the toolkit (a minute or two the first time) ..."
	go build ./toolkit/...
	echo "Executing $(quickstart) (a few minutes on a CPU) ..."
	$(call execute,.out) --to notebook $(quickstart)
	$(python) -m nbconvert --log-level=ERROR --to html .out/00_quickstart.ipynb
	echo
	echo "Done. Look at:"
	echo "  .out/figures/quickstart.png          the figure"
	echo "  .out/00_quickstart.html              the notebook with its outputs, for a browser"
	echo "  data/runs/notebook-try-quickstart    the recorded runs"
	echo "and open the notebooks with: make lab"

# The reader's own copies: changes there stay, and git ignores them. IP=0.0.0.0 is for a container.
IP = 127.0.0.1
.PHONY: lab
lab: setup
	@notebooks/jupyter/copy.sh notebooks lab
	notebooks/jupyter/copy.sh notebooks/solutions lab/solutions
	echo "JupyterLab starts on this machine only; open the address with the token that it prints. Ctrl-C twice ends it."
	root=$$([ "$$(id -u)" != 0 ] || echo --allow-root) # in a container, as a rule
	exec $(python) -m jupyterlab --no-browser --log-level=WARN $$root --ServerApp.ip='$(IP)' --ServerApp.port='$(PORT)' \
		--ServerApp.root_dir="$$PWD" --LabApp.default_url=/lab/tree/lab/$(notdir $(quickstart))

# Slides of one notebook for a browser, in one file that needs no network. The cells' slide types are in the notebook.
NOTEBOOK ?= 01_the_idea
reveal   := .venv/share/reveal
.PHONY: slides
slides: $(jupyter_stamp) $(reveal)/stamp
	@notebook=notebooks/$$(basename '$(NOTEBOOK)' .ipynb).ipynb
	[ -e "$$notebook" ] || { echo "There is no $$notebook: name one, such as NOTEBOOK=01_the_idea." >&2; exit 1; }
	grep -q '"slide_type"' "$$notebook" ||
		{ echo "$$notebook has no slides: give its cells slide types in JupyterLab (the gears at the right)." >&2; exit 1; }
	$(python) -m nbconvert --log-level=ERROR --to slides --output-dir .out/slides "$$notebook" \
		--template slides --TemplateExporter.extra_template_basedirs=notebooks \
		--TemplateExporter.extra_template_paths='$(reveal)/sphinx_revealjs/_static/revealjs/dist' \
		--TagRemovePreprocessor.enabled=True --TagRemovePreprocessor.remove_input_tags=hide-input
	echo "Open .out/slides/$$(basename "$$notebook" .ipynb).slides.html in a browser: space goes on, F fills the screen, Esc shows all."

# reveal.js, out of a package that brings it along.
$(reveal)/stamp: notebooks/slides/requirements.txt | $(jupyter_stamp)
	@echo "Installing reveal.js into .venv ..."
	$(python) -m pip install --quiet --no-deps --upgrade --target $(reveal) -r $<
	touch $@

# For students: no outputs, no answers, no solutions; room for predictions and explanations.
.PHONY: handouts
handouts:
	@'$(PYTHON)' notebooks/jupyter/handouts.py .out/handouts $(wildcard notebooks/*.ipynb) notebooks/questions.md
	echo "The hand-outs are in .out/handouts; notebooks/teaching.md says how to use them."

# Packages that start goroutines and do not use XLA, whose threads the race detector would misjudge. The first waits most.
raced := $(addprefix ./toolkit/,runs/sweep dataset figures/gallery internal/stopping notebook runs)

# Their tests that would take the race detector longest, and start no goroutine that another test does not start.
unraced := WhatCannotBeDrawnIsSaidAndTheRestIsDrawn|MappedPicturesTakeLittleMemory|Shapes
unraced := ^Test($(unraced)|NotebooksAreFitToPublish|NotebooksShowTheFiguresOfToday)$$

# Packages whose tests take longest: they start first, so that both cores are busy until the end.
long := $(addprefix ./toolkit/,network/survivors network network/training cmd/commands cmd/example)

# Go's tests with a name for their record, from which the ten slowest are printed.
gotest = .bin/gotestsum --format pkgname --format-hide-empty-pkg --format-icons text --hide-summary skipped \
	--jsonfile .out/tests-$(1).json -- -timeout 60m
slowest = echo "== The ten slowest tests =="; cat .out/tests-*.json | .bin/gotestsum tool slowest --num 10

.PHONY: test
test: check
	@echo "== Notebooks, small, two at a time =="
	rm -rf .out/tiny .out/tests-*.json
	printf '%s\n' $(notebooks) | xargs -n 2 -P 2 env STOCHDEPTH_TINY=1 $(call execute,.out/tiny) --to notebook
	failed=0
	echo "== go test =="
	$(call gotest,all) $(long) $$(go list ./... | grep -vxF "$$(go list $(raced) $(long))") || failed=1
	$(call gotest,long) -run 'TestSVHNMemory|TestTheCommittedGallery|TestEveryFormat|$(unraced)' \
		./toolkit/dataset ./toolkit/figures/gallery ./toolkit/notebook || failed=1
	echo "== go test with the race detector, where it can follow all threads =="
	$(call gotest,race) -race -short -skip '$(unraced)' $(raced) || failed=1 # -short: without the three above
	$(slowest)
	exit $$failed

# What `make test-fast` leaves to `make test`, beside the notebooks and the race detector. An outdated name here costs
# time and nothing else.
slow := TestContract(OfAnyBlock|OfSubBatches|PerSample|Rounding|ThroughSteps|WithOlderKernels)|TestContract$$/(14|20)_layers|TestClosedBlocks|TestBodies$$
slow := $(slow)|TestDevices|TestTheCommittedNetworks|TestOptions|TestSchedules|TestMemory|TestUnderSanitizers|TestConvolutions|TestStep$$
slow := $(slow)|TestTrainingsEndAtACheckpoint|TestCrashAfterEveryChange|TestRecipesAsInPyTorch

.PHONY: test-fast
test-fast: check
	@rm -f .out/tests-*.json
	failed=0
	$(call gotest,fast) -short -skip '$(slow)' $(long) $$(go list ./... | grep -vxF "$$(go list $(long))") || failed=1
	$(slowest)
	exit $$failed

# Tests the promises of a run's folder (toolkit/runs/README.md) more often than `make test` has time for: crashes after a
# change to the files, real kills, memory refused to a kernel, and all fuzz targets within FUZZSECONDS. PARTS=kills does
# one part.
PARTS       ?= crashes kills memory fuzz
FUZZSECONDS ?= 3600
make        := $(MAKE)# by this name in the recipe, so that `make -n torture` does nothing
.PHONY: torture
torture: setup
	@mkdir -p .out
	export STOCHDEPTH_TORTURE="$$PWD/.out/torture.tsv"
	printf 'what\ttrials\tsurvived\tfailed\n' > "$$STOCHDEPTH_TORTURE"
	try() { go test -v -count=1 -timeout 5h -run "^$$1$$" "./toolkit/$$2"; }
	failed=
	for part in $(PARTS); do
		echo "== $$part =="
		case $$part in
			crashes) try TestCrashAfterEveryChange network/training ;;
			kills) try TestKilled cmd/commands ;;
			memory) try TestMemoryIsShort network/training ;;
			fuzz) $(make) fuzz FUZZTIME=$$(( $(FUZZSECONDS) / $$(cat $$(find toolkit -name "*_test.go") | grep -c '^func Fuzz') ))s ;;
			*) echo "there is no part $$part" >&2; false ;;
		esac || failed+=" $$part"
	done
	echo
	awk -F '\t' '{ printf "%-48s %12s %12s %8s\n", $$1, $$2, $$3, $$4 }' "$$STOCHDEPTH_TORTURE"
	[ -z "$$failed" ] || { echo "Failed:$$failed" >&2; exit 1; }

.PHONY: check
check: setup
	@echo "== gofmt, go vet, staticcheck =="
	unformatted=$$(gofmt -l toolkit)
	[ -z "$$unformatted" ] || { echo "Not formatted (run: gofmt -w toolkit):"; echo "$$unformatted"; exit 1; }
	go vet ./...
	.bin/staticcheck ./...

# Each fuzz target for a while, one after the other: FUZZTIME=5m for longer, FUZZ=runs for one package. A failing input is
# kept in its package's testdata/fuzz, and is a test from then on.
FUZZTIME ?= 10s
FUZZ     ?=
.PHONY: fuzz
fuzz: tools
	@mkdir -p .out
	failed=0
	for folder in $$(find toolkit -name "*_test.go" -exec grep -ls "^func Fuzz" {} + | xargs -n 1 dirname | sort -u | grep -- '$(FUZZ)'); do
		for target in $$(grep -ho '^func Fuzz[A-Za-z]*' $$folder/*_test.go | cut -c 6-); do
			echo "== $$folder $$target, $(FUZZTIME) =="
			bad=0
			go test -run '^$$' -fuzz "^$$target$$" -fuzztime '$(FUZZTIME)' "./$$folder" | tee .out/fuzz || bad=1
			failed=$$((failed + bad))
			[ -n "$${STOCHDEPTH_TORTURE:-}" ] || continue
			trials=$$(sed -n 's/.*execs: \([0-9]*\).*/\1/p' .out/fuzz | tail -n 1)
			printf '%s\t%d\t%d\t%d\n' "fuzz: $${folder#*/} $$target" "$${trials:=$$bad}" $$((trials - bad)) $$bad >> "$$STOCHDEPTH_TORTURE"
		done
	done
	[ $$failed = 0 ]

# Times training steps; see `stochdepth bench --help` for more.
.PHONY: bench
bench: setup
	@go run ./toolkit/cmd/stochdepth bench --open

# Times them beside PyTorch and JAX, which get a separate environment, and records the times in BENCH_OUT. Networks are
# layers:minibatch:steps, or network:minibatch:steps:side of the images for those for ImageNet, which are not timed in JAX.
# PEERS names what is compared, such as 'torch eager,torch compile'; 1202 layers are not timed in JAX with a cond for each
# block, which takes minutes to compile.
BENCH_OUT      ?= data/bench
BENCH_NETWORKS ?= 20:32:48 20:128:24 110:128:8 1202:16:8 resnet18:64:8:64 resnet50:32:8:64
ROUNDS         ?= 3
PEERS          ?= torch eager,torch eager channels_last,jax cond,jax scan
.PHONY: peers
peers:
	@[ -x .venv-peers/bin/python ] || '$(PYTHON)' -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet -r toolkit/network/bench/peers/requirements.txt

.PHONY: bench-peers
bench-peers: setup peers
	@go build -o .bin/stochdepth ./toolkit/cmd/stochdepth
	for network in $(BENCH_NETWORKS); do
		IFS=: read -r layers batch steps side <<< "$$network"
		peers='$(PEERS)' what=(--layers "$$layers")
		case $$layers in
			resnet*) what=(--network "$$layers" --image-size "$${side:-64}") ;;
			????*) peers=$${peers/jax cond,/} ;;
		esac
		.bin/stochdepth bench "$${what[@]}" --batch "$$batch" --steps "$$steps" --rounds '$(ROUNDS)' --death-rate 0,0.5 \
			--evaluation --peers --peer "$$peers" --out '$(BENCH_OUT)'/peers-"$$layers-$$batch".json
	done

# Times blocks of all kinds: steps by open blocks, and compiling shallow and deep networks, with blocks of all kinds and for
# ImageNet. Records the times in BENCH_OUT, then draws the figure and writes the tables of the pages from the records in
# data/bench.
BLOCKS       ?= basic,preactivation,bottleneck,transformer
BLOCKS_DEEP  ?= 21,201
BLOCKS_BATCH ?= 32
.PHONY: bench-blocks
bench-blocks: setup peers
	@go build -o .bin/stochdepth ./toolkit/cmd/stochdepth
	.bin/stochdepth bench --block '$(BLOCKS)' --layers 20 --batch '$(BLOCKS_BATCH)' --death-rate 0,0.5 --open --steps 8 --rounds '$(ROUNDS)' \
		--peers --peer 'torch eager,torch eager channels_last' --peak=false --out '$(BENCH_OUT)'/blocks.json
	.bin/stochdepth bench --block '$(BLOCKS)' --residual-blocks '$(BLOCKS_DEEP)' --batch 8 --death-rate 0.5 --steps 1 --rounds '$(ROUNDS)' \
		--peak=false --out '$(BENCH_OUT)'/blocks-compile.json
	.bin/stochdepth bench --network resnet50,resnet101,resnet152 --image-size 64 --batch 8 --death-rate 0.5 --steps 1 \
		--rounds '$(ROUNDS)' --peak=false --out '$(BENCH_OUT)'/imagenet-compile.json
	.bin/stochdepth figures step-time-blocks
	.bin/stochdepth pages

# Builds the networks of other libraries and compares where they drop with data/rates.json; ten minutes. RATES=--update
# records what agrees as measured, RATES=timm/resnet50 measures one network. A PyTorch for CPUs, if pip's index has one,
# spares most of the 6 GB. RATES_TENSORFLOW=1 measures the libraries of TensorFlow instead (1.5 GB), in an environment of
# its own: PyTorch and TensorFlow do not run in one process.
RATES ?=
RATES_TENSORFLOW ?=
rates-kind := $(if $(RATES_TENSORFLOW),-tensorflow)
rates-python := .venv-rates$(rates-kind)/bin/python
rates-folder := toolkit/cmd/internal/rates
.PHONY: rates
rates: tools
	@[ -x $(rates-python) ] || '$(PYTHON)' -m venv .venv-rates$(rates-kind)
	$(rates-python) -m pip install --quiet -r $(rates-folder)/requirements$(rates-kind).txt
	$(rates-python) -m pip install --quiet --no-deps -r $(rates-folder)/requirements-alone.txt
	$(rates-python) $(rates-folder)/measure.py $(RATES)

# Compiles the training steps for an NVIDIA H100 on this machine, which needs none, and compares them with
# data/bench/gpu-check.json. Installs 6 GB of Python packages the first time. GPU_CHECK="--only '20 layers'" compiles
# some of them, --update writes the table.
GPU_CHECK ?=
.PHONY: gpu-check
gpu-check: setup
	@[ -x .venv-gpu/bin/python ] || '$(PYTHON)' -m venv .venv-gpu
	.venv-gpu/bin/python -m pip install --quiet -r toolkit/network/bench/gpucheck/requirements.txt
	go build -o .bin/stochdepth ./toolkit/cmd/stochdepth
	GOMLX_BACKEND=xla:cpu .venv-gpu/bin/python toolkit/network/bench/gpucheck/check.py .bin/stochdepth $(GPU_CHECK)

# A folder to carry to a machine with an NVIDIA GPU.
.PHONY: gpu-kit
gpu-kit: tools
	@toolkit/network/bench/gpukit/pack.sh .out/gpu-kit

# Writes the outputs into the notebooks themselves, for readers on the web. Their runs are trained again.
# NOTEBOOKS=notebooks/01_the_idea.ipynb executes one.
NOTEBOOKS ?= $(notebooks)
.PHONY: notebooks
notebooks: setup
	@rm -rf data/runs/notebook-*
	for notebook in $(NOTEBOOKS); do
		echo "$$notebook ..."
		$(call execute,$$(dirname "$$notebook")) --to notebook --inplace "$$notebook"
	done

# The notebooks in JupyterLab in a real browser, Debian's chromium.
.PHONY: browser-test
browser-test: setup
	@[ -x .venv-browser/bin/python ] || '$(PYTHON)' -m venv .venv-browser
	.venv-browser/bin/python -m pip install --quiet -r notebooks/browser/requirements.txt
	.venv-browser/bin/python notebooks/browser/browser_test.py

# Builds the image of Containerfile with whichever of Docker, Podman and Buildah is here, and tries it.
.PHONY: container-test
container-test:
	@notebooks/container-test.sh

.PHONY: setup
setup: $(jupyter_stamp) $(kernel_stamp)

.PHONY: clean
clean:
	rm -rf .venv .venv-browser .venv-gpu .venv-peers .venv-rates .venv-rates-tensorflow .bin .out

# --- What setup installs -----------------------------------------------------

ifeq ($(PLUGIN),cpu)
requirements := notebooks/requirements.txt
else
requirements := notebooks/requirements-$(PLUGIN).txt
endif
ifeq ($(wildcard $(requirements)),)
$(error PLUGIN=$(PLUGIN) is unknown: say PLUGIN=cpu or PLUGIN=cuda13)
endif

# A virtual environment does not survive a move of its folder: make a new one.
ifneq ($(file < .venv/place),$(CURDIR))
$(jupyter_stamp) $(kernel_stamp): moved
endif
.PHONY: moved
moved:

# FORCE=1 completes an incomplete installation, and installs for a GPU that is not here.
.PHONY: forced
forced:

$(jupyter_stamp): notebooks/requirements.txt notebooks/constraints.txt $(requirements) $(if $(FORCE),forced) | tools
	@if [ '$(PLUGIN)' != cpu ] && [ -z "$${FORCE:-}" ] && ! ls /dev/nvidia[0-9]* >/dev/null 2>&1 && ! nvidia-smi -L >/dev/null 2>&1; then
		echo "This machine shows no NVIDIA GPU, so nothing was downloaded: leave PLUGIN=$(PLUGIN) out, or install NVIDIA's driver, or add FORCE=1." >&2
		exit 1
	fi
	echo "Installing Jupyter and XLA's plugin for $(PLUGIN) into .venv ..."
	if [ -e .venv/place ] && [ "$$(cat .venv/place)" != "$$PWD" ]; then rm -rf .venv; fi
	[ -x $(python) ] || '$(PYTHON)' -m venv .venv
	$(python) -m pip install --quiet -r $(requirements)
	mkdir -p .venv/stamps .venv/share/jupyter/lab/settings
	# Do not ask about news, and do not look for a newer JupyterLab.
	echo '{"@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": false}}' \
		> .venv/share/jupyter/lab/settings/overrides.json
	printf %s "$$PWD" > .venv/place
	touch $@

$(kernel_stamp): $(addprefix notebooks/kernel/,go.mod go.sum kernel.json build.sh) notebooks/jupyter/custom.css | $(jupyter_stamp)
	@echo "Building the notebooks' Go kernel and its tools into .bin (a minute or two the first time) ..."
	notebooks/kernel/build.sh .bin/cache/kernel
	mkdir -p .venv/share/jupyter/kernels/gonb .venv/etc/jupyter/custom
	cp notebooks/kernel/kernel.json .venv/share/jupyter/kernels/gonb/
	cp notebooks/jupyter/custom.css .venv/etc/jupyter/custom/
	touch $@

.PHONY: tools
tools:
	@command -v go >/dev/null || { echo "Go is missing: install Go 1.21 or later (it fetches the version that go.mod names)." >&2; exit 1; }
	cc=$$(go env CC); command -v "$${cc%% *}" >/dev/null || { echo "A C compiler is missing: install gcc, which Go needs to call XLA." >&2; exit 1; }
	command -v '$(PYTHON)' >/dev/null || { echo "Python is missing: install Python 3.10 or later, or name it: make PYTHON=/path/to/python3." >&2; exit 1; }
	'$(PYTHON)' -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "$(PYTHON) is too old: install Python 3.10 or later, or name it: make PYTHON=/path/to/python3." >&2; exit 1; }
	'$(PYTHON)' -c 'import venv, ensurepip' 2>/dev/null || { echo "Python's venv module is missing: install it (on Debian and Ubuntu: apt install python3-venv)." >&2; exit 1; }
