# Two commands matter to a newcomer: `make study` and `make test`.
VENV ?= .venv
PYTHON ?= python3
BIN = $(VENV)/bin
# A worker that died would meet the same test again: one that hangs would hang once a restart.
PYTEST = $(BIN)/python -m pytest --dist=loadfile --no-loadscope-reorder --max-worker-restart=0

.PHONY: study test fast test-portable lint types install

# All its seeds unless OPTIONS say otherwise, as in `make study OPTIONS="--seeds 1"`.
study: install
	$(BIN)/nas-study run quickstart $(OPTIONS)

# Three workers on two cores: tests of Ray, of browsers and of hosts also wait; with four it takes longer.
test: install
	$(PYTEST) --numprocesses=3

# For the inner loop: without what is marked slow.
fast: install
	$(PYTEST) --numprocesses=2 -m "not slow"

# The tests that train, without the vector instructions that torch would choose here: other last bits, as elsewhere.
test-portable: install
	ATEN_CPU_CAPABILITY=default $(PYTEST) --numprocesses=2 -m trains tests/trainables

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/mypy

install: $(VENV)/installed

# Python compiles what is imported, when it is: most of what is installed never is.
$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --no-compile --constraint constraints.txt --editable '.[dev]'
	touch $@
