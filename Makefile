# Two commands matter to a newcomer: `make study` and `make test`.
VENV ?= .venv
PYTHON ?= python3
BIN = $(VENV)/bin

.PHONY: study test test-portable lint types install

study: install
	$(BIN)/nas-study run quickstart

test: install
	$(BIN)/python -m pytest --numprocesses=2 --dist=loadfile --no-loadscope-reorder

# The tests that train, without the vector instructions that torch would choose here: other last bits, as elsewhere.
test-portable: install
	ATEN_CPU_CAPABILITY=default $(BIN)/python -m pytest -m trains --numprocesses=2 --dist=loadfile --no-loadscope-reorder

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/mypy

install: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	touch $@
