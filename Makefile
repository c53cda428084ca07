# Everything from a bare Python: `make demo` runs the main job, `make test` all checks.
# Both create .venv and install on first use. TORCH=any takes the ordinary torch wheel instead of the CPU one.

PYTHON ?= python3
TORCH ?= cpu
VENV := .venv
BIN := $(VENV)/bin
CONSTRAINTS := $(if $(filter cpu,$(TORCH)),-c constraints-cpu.txt)
JOBS ?= 2

.PHONY: demo test lint types format bench bench-anomaly bench-restore bench-retrieval tutorial clean

demo: $(VENV)/installed
	$(BIN)/isthmus demo --output demo

test: $(VENV)/installed-test lint types
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n $(JOBS)

lint: $(VENV)/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/installed-test
	$(BIN)/mypy

format: $(VENV)/installed-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/installed-test
	$(BIN)/python benchmarks/run.py

bench-anomaly: $(VENV)/installed-test
	$(BIN)/python benchmarks/run.py anomaly anomaly_file_order anomaly_speed series

bench-restore: $(VENV)/installed-test
	$(BIN)/python benchmarks/run.py denoising_photos denoising_digits denoising_audio inpainting scratches imputation

bench-retrieval: $(VENV)/installed-test
	$(BIN)/python benchmarks/run.py retrieval retrieval_index

tutorial: $(VENV)/installed-test
	OMP_NUM_THREADS=1 $(BIN)/python docs/tutorial/build.py

clean:
	rm -rf $(VENV) demo .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: $(VENV)/bin/python pyproject.toml constraints-cpu.txt
	$(BIN)/pip install -q $(CONSTRAINTS) -e ".[all]"
	touch $@

$(VENV)/installed-test: $(VENV)/bin/python pyproject.toml constraints-cpu.txt
	$(BIN)/pip install -q $(CONSTRAINTS) -e ".[test]"
	touch $@ $(VENV)/installed
