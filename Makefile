# Every target sets up what it needs first. On a machine with only python3: `make run`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
PEERS  := $(VENV)/bench

.PHONY: help setup run workshop tour test lint render bench rehearsal requirements upgrade-check clean

help:
	@echo "make run     open the workbook in JupyterLab (PORT=8888 chooses the port)"
	@echo "make workshop  a room for several learners (LEARNERS=20 PORT=8000); its host needs sudo"
	@echo "make tour    the whole episode in the terminal, each step checked"
	@echo "make test    every test, the browser's too"
	@echo "make lint    style of code, notebooks and template"
	@echo "make render  run every notebook on a fresh local AWS; store outputs and the README's pictures"
	@echo "make bench   one JSON line per measurement"
	@echo "make upgrade-check  what has newer releases, and whether the local AWS holds with them"
	@echo "make rehearsal  three learners in three browsers through the first five notebooks; needs sudo"
	@echo "make clean   stop the local AWS and remove what was installed"

setup: $(READY)

$(READY): requirements.txt pyproject.toml helpers/ipython_config.py helpers/jupyterlab_overrides.json
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) -V). Try: make run PYTHON=python3.12"; exit 1; }
	@echo "Setting up (once, about half a minute) ..."
	@$(PYTHON) -m venv $(VENV) || \
	  { echo "Python's venv module is missing. On Debian or Ubuntu: sudo apt install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@$(BIN)/uv pip install --quiet --python $(BIN)/python -r requirements.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --editable .
	@$(BIN)/python -B -m helpers.configure
	@touch $(READY)
	@# By sudo: what lies in the user's checkout is the user's. So root's Python writes no bytecode (-B).
	@if [ -n "$$SUDO_UID" ]; then chown -R "$$SUDO_UID:$$SUDO_GID" $(VENV); fi

run: $(READY)
	@$(BIN)/python -m helpers.run --port $(or $(PORT),8888)

# Passwords come by the environment or a file: a command line can be read by every user.
workshop: $(READY)
	@WORKSHOP_PYTHON="$(shell command -v $(PYTHON))" $(BIN)/python -B -m helpers.workshop \
	  --learners $(or $(LEARNERS),20) --port $(or $(PORT),8000) --host $(or $(HOST),127.0.0.1) \
	  $(if $(ROOM),--room $(ROOM)) $(if $(KEPT),--kept $(KEPT))

tour: $(READY)
	@$(BIN)/python -m helpers.tour

test: $(READY) lint
	@$(BIN)/python -m tests.browser.chromium
	@$(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

lint: $(READY)
	@$(BIN)/ruff format --check --quiet . || { echo "make lint: run $(BIN)/ruff format ."; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/cfn-lint app/template.yaml
	@$(BIN)/python -m tests.credentials

render: $(READY)
	@$(BIN)/python -m helpers.render
	@$(BIN)/python -m tests.browser.chromium
	@CI=1 WORKBOOK_PICTURES=docs $(BIN)/python -m pytest tests/browser/test_live_views.py -k "graph or step"

bench: $(READY) $(PEERS)/.ready
	@$(BIN)/python -m bench

rehearsal: $(READY)
	@$(BIN)/python -m tests.browser.chromium
	@$(BIN)/python -m pytest tests/workshop/rehearsal.py

# What is measured beside: nothing else needs it, and it needs nothing of the rest.
$(PEERS)/.ready: bench/requirements.txt | $(READY)
	@$(BIN)/uv venv --quiet --clear --python $(BIN)/python $(PEERS)
	@$(BIN)/uv pip install --quiet --python $(PEERS)/bin/python -r $<
	@touch $@

# Exact versions from the ranges in pyproject.toml, for every Python from 3.11 on.
COMPILE := uv pip compile --quiet --upgrade --universal --python-version 3.11 --no-emit-index-url \
  --no-emit-find-links --custom-compile-command "make requirements"
requirements: $(READY)
	@$(BIN)/$(COMPILE) pyproject.toml --output-file requirements.txt
	@$(BIN)/$(COMPILE) --group bench --output-file bench/requirements.txt
	@$(BIN)/$(COMPILE) --group workshop --constraints requirements.txt \
	  --no-emit-package debugpy pyproject.toml --output-file helpers/workshop/requirements.txt

upgrade-check: $(READY)
	@$(BIN)/python -m tests.upgrade

clean:
	@[ ! -x $(BIN)/python ] || $(BIN)/python -m helpers.localaws --stop
	@rm -rf $(VENV) .localaws .pytest_cache .ruff_cache .hypothesis test-results
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
