# `make lab` and `make test` are all that a fresh machine needs; CONTRIBUTING.md explains the rest.
PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
	$$p -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt
NEEDS := pyproject.toml constraints.txt

.PHONY: lab slides test test-fast notebooks bench results lint lock clean
.DEFAULT_GOAL := lab

lab: $(VENV)/.lab ## open the course in JupyterLab
	$(BIN)/jupyter lab --notebook-dir=notebooks $(LAB)

slides: $(VENV)/.lab ## show a notebook as slides, alive: make slides NB=03_rcnn
	$(BIN)/python -m lecture_lib.slides $(NB) $(LAB)

test: $(VENV)/.test ## run every test: two files at a time, a thread each, then the notebooks, which need a machine of their own
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --ignore tests/test_notebooks.py $(PYTEST) || [ $$? = 5 ]
	$(BIN)/python -m pytest tests/test_notebooks.py $(PYTEST) || [ $$? = 5 ]

test-fast: $(VENV)/.test ## the tests of the inner loop
	$(BIN)/python -m pytest -m "not slow" $(PYTEST)

notebooks: $(VENV)/.lab ## execute every notebook without a browser and write build/site/*.html
	$(BIN)/python -m lecture_lib.notebooks

bench: $(VENV)/.bench ## how fast the course is beside what else one could use (half an hour of a machine with nothing else to do)
	$(BIN)/python -m tests.benchmarks.speed --save

results: export LECTURE_LIB_CACHE ?= $(CURDIR)/build/results
results: $(VENV)/.bench ## measure again what README and notebooks quote (about nine hours; needs Debian 12's apt-get and Chromium)
	$(BIN)/python data/build/stamps.py --seed 1 --out data/stamps-seed1
	$(BIN)/python data/build/stamps.py --seed 2 --out data/stamps-seed2
	rm -f data/results/transfer_curves.json
	$(BIN)/python -m lecture_lib.training.transfer --seeds 3 --deals 0 1 2
	$(BIN)/python -m tests.benchmarks.selective_search --save
	$(BIN)/python -m lecture_lib.training.rcnn_ablation --deals 0 1 2 --save
	$(BIN)/python -m lecture_lib.training.rcnn --deals 0 --bundle
	$(BIN)/python -m lecture_lib.training.one_pass_ablation --deals 0 1 2 --save
	$(BIN)/python -m lecture_lib.training.sppnet --deals 0 --bundle
	$(BIN)/python -m lecture_lib.training.fast_rcnn --deals 0 --bundle
	$(BIN)/python -m lecture_lib.training.faster_ablation --deals 0 1 2 --save
	$(BIN)/python -m lecture_lib.training.faster_rcnn --deals 0 --bundle
	$(BIN)/python -m lecture_lib.training.mask_rcnn --deals 0 1 2 --save --bundle
	$(BIN)/python -m tests.benchmarks.rcnn --save
	$(BIN)/python -m tests.benchmarks.one_pass --save
	$(BIN)/python -m tests.benchmarks.ladder --save
	$(BIN)/python -m tests.benchmarks.torchvision_detector --save
	$(BIN)/python -m tests.benchmarks.widgets --save
	$(BIN)/python -m tests.benchmarks.speed --save
	$(BIN)/python -m lecture_lib.notebooks --record
	$(BIN)/python -m tests.benchmarks.budgets --save
	$(BIN)/python -m tests.benchmarks.readme
	$(BIN)/python -m tests.benchmarks.compare

$(VENV)/.bench: $(VENV)/.test
	$(INSTALL) --editable ".[lab,test,bench]"
	@touch $@

lint: $(VENV)/.test
	$(BIN)/ruff check . && $(BIN)/ruff format --check .

lock: $(VENV)/.test ## resolve the newest versions again, for every system and Python 3.11 to 3.13
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --all-extras --no-annotate --upgrade \
		--custom-compile-command "make lock" pyproject.toml --output-file constraints.txt

clean:
	rm -rf build $(VENV)

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11, 3.12 or 3.13 is needed: install one, or say make PYTHON=/path/to/python"; exit 1; }
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo "No venv module: on Debian or Ubuntu, apt install python3-venv"; exit 1; }

$(VENV)/.lab: $(BIN)/python $(NEEDS)
	@echo "Installing the course (once; on Linux PyTorch alone is a download of 2 to 3 GB) ..."
	$(INSTALL) --editable ".[lab]"
	@touch $@

$(VENV)/.test: $(VENV)/.lab
	@echo "Installing what the tests need (once) ..."
	$(INSTALL) --editable ".[lab,test]"
	@touch $@
