# `make grade` and `make test` set up all that they need: a virtual environment in .venv and, if allowed, bubblewrap.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
SUBMISSIONS ?= submissions/
GPU_PYTHON ?= $(if $(wildcard $(BIN)/python),$(BIN)/python,$(PYTHON))

# Tests and examples start hundreds of processes. Each of them would compile all modules if none may keep what it compiled.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup grade test slow validate mutants seeds attacks faults fuzz load cluster gpu lint check bench clean

help:  ## Show the targets.
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

$(VENV)/ready: requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	# torch is installed first and pinned; otherwise it brings gigabytes of CUDA libraries.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $$(grep '^torch==' requirements.lock)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	packages=$$($(BIN)/gengrade course packages) && { test -z "$$packages" || $(BIN)/python -m pip install --quiet --disable-pip-version-check $$packages; }
	touch $@

setup: $(VENV)/ready  ## Set up the virtual environment and, if allowed, bubblewrap.
	@command -v bwrap >/dev/null 2>&1 || sh tools/install-system-packages bubblewrap

grade: setup  ## Grade the example submissions on the embedded data set.
	$(BIN)/python run_grading.py $(SUBMISSIONS)

test: setup  ## Run the tests.
	@command -v chromedriver >/dev/null 2>&1 || sh tools/install-system-packages chromium chromium-driver
	$(BIN)/python -m pytest -n auto --dist loadscope --no-loadscope-reorder

slow: setup  ## Run the longer tests, such as trainings.
	$(BIN)/python -m pytest -m slow

validate: setup  ## Measure how right the graders are, and print the table.
	$(BIN)/python -m validation

mutants: setup  ## Run only the mutation tests.
	$(BIN)/python -m validation mutants

seeds: setup  ## Grade only the right packages under many seeds; none may fail.
	$(BIN)/python -m validation seeds

attacks: setup  ## Grade hostile submissions in the tiers sandbox and landlock, and print what they gained.
	$(BIN)/python -m tests.attacks

faults: setup  ## Kill processes of the grader 200 times, and compare the results.
	$(BIN)/python -m tests.attacks.faults

fuzz: setup  ## Send malformed answers to the host and hand in strange classes, for 35 minutes.
	$(BIN)/python -m tests.attacks.fuzzing

load: setup  ## Grade the examples on an idle and on a busy machine, and compare the verdicts.
	$(BIN)/python -m tests.load

cluster: setup  ## Prove on this machine, as root, that nodes of Slurm and workers of Dask grade as one machine does.
	@command -v slurmctld >/dev/null 2>&1 || sh tools/install-system-packages slurm-wlm munge
	tools/slurm-cluster $(abspath $(BIN))/python -m tests.cluster slurm
	$(BIN)/python -m pip install --quiet --disable-pip-version-check 'distributed>=2024.1'
	$(BIN)/python -m tests.cluster dask

gpu:  ## Test and measure trainings on a GPU, in at most eight minutes, by any Python that has torch with CUDA.
	PYTHONPATH=. $(GPU_PYTHON) -m tests.gpu

lint: setup  ## Check style and types.
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy --strict

check: lint test  ## Run everything that must pass before a change is merged: lint and test.

bench: setup  ## Measure what the harness itself costs, and print the table.
	$(BIN)/python -m benchmarks

clean:  ## Remove the virtual environment and the results, but no marks, and not what was published.
	rm -rf $(VENV)
	test ! -d results || find results -mindepth 1 -maxdepth 1 ! -name marks ! -name releases -exec rm -rf {} +
