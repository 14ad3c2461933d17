# make install   set up .venv with acmnet in it   (TORCH=gpu for the CUDA build)
# make demo      see it work: draws videos, learns from their labels, scores what it finds
# make test      every check: ruff, mypy --strict, all tests, doctests, the documentation
# make test-fast the checks without the slow tests, in about a minute: for while you work
# make docs      the documentation as a site, runs/docs/index.html
# make audit     licences and known vulnerabilities of what is installed
# make lock      write the newest versions and their hashes into constraints/
# make results   measure the figures of docs/results*.md again, in hours   (QUICK=1: minutes)
# make bench     speed and memory, each figure as a ratio to its limit; runs/bench.json   (DEVICE=cuda: of the GPU)
# make clean     remove .venv, runs and caches

PYTHON ?= python3
TORCH ?= cpu
VENV := .venv
BIN := $(VENV)/bin
LOCKED ?= yes
INSTALL := $(BIN)/python constraints/install.py --torch $(TORCH) $(if $(filter no,$(LOCKED)),--unlocked,)

# make install leaves compiling to the first import. Where the environment forbids Python
# to keep what it compiled, each of the many processes of the tests would compile torch anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install demo test test-fast docs audit lock results bench clean

help:
	@sed -n 's/^# //p' Makefile

install: $(VENV)/installed-$(TORCH)

$(VENV)/installed-%: pyproject.toml $(wildcard constraints/*.txt)
	$(MADE)
	$(INSTALL)
	@touch $@

# with all of make install, so that what needs both runs pip once
$(VENV)/installed-dev: pyproject.toml $(wildcard constraints/*.txt)
	$(MADE)
	$(INSTALL) --dev
	@touch $(VENV)/installed-$(TORCH) $@

define MADE
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
  { echo "acmnet needs Python 3.11 or newer, $(PYTHON) is $$($(PYTHON) -V); try make PYTHON=python3.12"; exit 1; }
test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
endef

demo: install
	$(BIN)/acmnet demo --out runs/demo

# mypy runs beside the tests, and what it found stands at the end
test: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@mkdir -p runs
	@echo "$(BIN)/mypy, beside the tests"; $(BIN)/mypy >runs/mypy.txt 2>&1 & types=$$!; \
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -n 2 --dist worksteal; tests=$$?; \
	wait $$types || { cat runs/mypy.txt; exit 1; }; exit $$tests

test-fast: $(VENV)/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	OMP_NUM_THREADS=1 $(BIN)/pytest -q -n 2 --dist worksteal -m 'not slow'

docs: $(VENV)/installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build
	@echo "open runs/docs/index.html; to search in it: $(BIN)/python -m http.server -d runs/docs"

audit: $(VENV)/installed-dev
	test -x $(VENV)/audit/bin/python || $(PYTHON) -m venv $(VENV)/audit
	$(VENV)/audit/bin/python -m pip --disable-pip-version-check install --quiet --require-hashes --no-deps \
	  --requirement constraints/locked-audit.txt
	$(BIN)/python -m constraints.audit --pip-audit $(VENV)/audit/bin/pip-audit

lock: $(VENV)/installed-dev
	$(BIN)/python -m constraints.lock
	$(INSTALL) --dev
	$(BIN)/python -m constraints.audit --write

results: install
	$(BIN)/python -m benchmarks.results --out runs/results $(if $(DATA),--data $(DATA)) $(if $(QUICK),--quick)

bench: install
	@mkdir -p runs
	$(BIN)/python benchmarks/run.py --json runs/bench$(if $(DEVICE),-$(DEVICE)).json $(if $(DEVICE),--device $(DEVICE))

clean:
	rm -rf $(VENV) runs .mypy_cache .pytest_cache .ruff_cache
