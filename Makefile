# Everything that is done in this repository. Each target does its own set-up: it needs Python 3.11
# or newer, make, and a package registry the first time. `make` alone lists the targets.

PYTHON ?= python3
VENV   ?= .venv
SEEDS  ?= 200
NPM    ?= npm
PYTEST_ARGS ?=

BUILD  := build
BIN    := $(VENV)/bin
UV     := $(BIN)/uv
LAYER  := layers/snaproll
# sam build looks for the python3.13 that the functions run with.
FUNCTION_PYTHON ?= python3.13

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c

# A stamp is newer than the lock that an environment was made from, so a second run is instant.
DEV  := $(VENV)/.installed-dev
SAM  := $(VENV)-sam/.installed-sam
SCAN := $(VENV)-scan/.installed-scan
NODE := .ci/node/node_modules/.installed

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  \033[1m%-16s\033[0m %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

##@ environments

# $(call venv,folder): an environment with nothing but pip and the pinned uv.
define venv
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "snaproll needs Python 3.11 or newer, and '$(PYTHON)' is $$($(PYTHON) --version 2>&1)." >&2; \
	  echo "Name a newer one: make $(MAKECMDGOALS) PYTHON=python3.13 VENV=.venv-3.13" >&2; exit 1; }
	@echo "setting up $(1) with $$($(PYTHON) --version)"
	@rm -rf $(1)
	@$(PYTHON) -m venv $(1) || { \
	  echo "'$(PYTHON) -m venv' failed; on Debian and Ubuntu install the package python3-venv." >&2; exit 1; }
	@$(1)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
endef

# $(call install,folder,locks): exactly what the locks name.
define install
	@$(1)/bin/uv pip sync --quiet --python $(1)/bin/python --require-hashes $(2) requirements/uv.txt
	@touch $@
endef

$(VENV)/pyvenv.cfg: requirements/uv.txt
	$(call venv,$(VENV))
	@touch $@

$(VENV)-sam/pyvenv.cfg: requirements/uv.txt
	$(call venv,$(VENV)-sam)
	@touch $@

$(VENV)-scan/pyvenv.cfg: requirements/uv.txt
	$(call venv,$(VENV)-scan)
	@touch $@

$(DEV): $(VENV)/pyvenv.cfg requirements/dev.txt
	$(call install,$(VENV),requirements/dev.txt)

$(SAM): $(VENV)-sam/pyvenv.cfg requirements/sam.txt
	$(call install,$(VENV)-sam,requirements/sam.txt)

$(SCAN): $(VENV)-scan/pyvenv.cfg requirements/scan.txt
	$(call install,$(VENV)-scan,requirements/scan.txt)

.PHONY: setup
setup: $(DEV) ## Make the development environment (every target does, when it needs it)

##@ locks
UPGRADE ?=
LOCKS := $(LAYER)/src/requirements.txt requirements/dev.txt requirements/sam.txt requirements/scan.txt requirements/uv.txt

# $(call compile,source and options,output): versions stay as the output has them unless UPGRADE=1.
compile = $(UV) pip compile --quiet --no-sources --universal --python-version 3.11 --generate-hashes \
	--custom-compile-command 'make lock' $(if $(UPGRADE),--upgrade) $(1) --output-file $(2)

# $(call compile-all,folder): development first, so that the layer gets the versions that were tested.
define compile-all
	$(call compile,$(LAYER)/pyproject.toml --group dev,$(1)requirements/dev.txt)
	$(call compile,$(LAYER)/pyproject.toml --constraints $(1)requirements/dev.txt,$(1)$(LAYER)/src/requirements.txt)
	$(call compile,--group sam,$(1)requirements/sam.txt)
	$(call compile,--group scan,$(1)requirements/scan.txt)
	$(call compile,--group uv,$(1)requirements/uv.txt)
endef

.PHONY: lock
lock: $(VENV)/pyvenv.cfg ## Write the locked requirements anew (UPGRADE=1 takes newer versions)
	$(call compile-all,)
