# make demo             run a DAG in real Airflow and show what the sandbox received
# make test             the whole suite, in several processes; PYTEST_ARGS="-n 0 tests/sql -k name" for some of it
# make test-fast        the tests that need no Airflow, and must not import it
# make lint             ruff, mypy, import-linter and codespell
# make bench            what reporting costs a task
# make installed        build the wheel, install it into an empty environment, and import all of it
# make constraints      pin what is installed now
# AIRFLOW=2.11          any of these on Airflow 2.11 rather than 3.3

AIRFLOW ?= 3.3
PYTHON ?= python3

VENV_3.3 := .venv
VENV_2.11 := .venv-2.11
VENV := $(VENV_$(AIRFLOW))
ifeq ($(VENV),)
$(error AIRFLOW must be 3.3 or 2.11, not $(AIRFLOW))
endif

CONSTRAINTS := constraints/airflow-$(AIRFLOW).txt

# Everything stays inside the checkout, caches and temporary files included.
export PIP_CACHE_DIR := $(CURDIR)/.cache/pip
export UV_CACHE_DIR := $(CURDIR)/.cache/uv
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export TMPDIR := $(CURDIR)/.cache/tmp

UV := $(shell command -v uv 2>/dev/null)
ifneq ($(UV),)
INSTALL := $(UV) pip install --quiet --python $(VENV)/bin/python
CREATE := $(UV) venv --quiet --python $(PYTHON) $(VENV)
else
INSTALL := $(VENV)/bin/python -m pip install --quiet
CREATE := $(PYTHON) -m venv $(VENV)
endif

.PHONY: demo test test-fast lint bench installed constraints clean

demo: $(VENV)/.demo
	$(VENV)/bin/python demo.py

# A file's tests share fixtures, and stay together; support/no_airflow.py sorts the files.
WORKERS = logical
PYTEST = $(VENV)/bin/python -m pytest -n $(WORKERS) --maxprocesses 8 --dist loadfile --no-loadscope-reorder

test: $(VENV)/.test
	$(PYTEST) $(PYTEST_ARGS)

# These wait for a third of their time: more processes than cores.
test-fast: WORKERS = $(shell expr $$(getconf _NPROCESSORS_ONLN) \* 3 / 2)
test-fast: $(VENV)/.test
	$(PYTEST) --no-airflow $(PYTEST_ARGS)

lint: $(VENV)/.test
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy --strict airflow_provider_ryft
	$(VENV)/bin/lint-imports --cache-dir .cache/import-linter
	$(VENV)/bin/codespell

bench: $(VENV)/.test
	$(VENV)/bin/python benchmarks/cost.py

installed: $(VENV)/.test
	rm -rf .cache/dist .cache/empty
	$(VENV)/bin/python -m build --wheel --outdir .cache/dist .
	$(PYTHON) -m venv .cache/empty
	.cache/empty/bin/python -m pip install --quiet -c $(CONSTRAINTS) .cache/dist/*.whl
	cd .cache && empty/bin/python -W error::SyntaxWarning ../tests/import_all.py

constraints: $(VENV)/.test
	$(VENV)/bin/python constraints/freeze.py > $(CONSTRAINTS).new
	mv $(CONSTRAINTS).new $(CONSTRAINTS)

clean:
	rm -rf .venv .venv-2.11 .cache .demo build dist

$(VENV)/bin/python:
	mkdir -p $(TMPDIR)
	$(CREATE)

$(VENV)/.demo: $(CONSTRAINTS) requirements/demo.txt pyproject.toml | $(VENV)/bin/python
	mkdir -p $(TMPDIR)
	$(INSTALL) -c $(CONSTRAINTS) -r requirements/demo.txt -e .
	touch $@

$(VENV)/.test: $(CONSTRAINTS) $(wildcard requirements/*.txt) pyproject.toml | $(VENV)/bin/python
	mkdir -p $(TMPDIR)
	$(INSTALL) -c $(CONSTRAINTS) -r requirements/test.txt -e .
	$(INSTALL) -c $(CONSTRAINTS) --no-deps -r requirements/test-no-deps.txt
	touch $@ $(VENV)/.demo
