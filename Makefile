# Everything that is done in this repository. Each target does its own set-up: it needs make, bash,
# Python 3.11 or newer and, the first time, a package registry. `make` alone lists the targets.

PYTHON ?= python3
# Another interpreter gets an environment of its own: make test PYTHON=python3.13
VENV   ?= $(if $(filter python3,$(PYTHON)),.venv,.venv-$(notdir $(PYTHON)))
NPM    ?= npm
SEEDS  ?= 200
# Where make aws listens, and how many emulated seconds pass there in a real one.
PORT   ?= 5000
SPEED  ?= 60
# Passed on to pytest: make test ARGS="-k refresh -x"
ARGS   ?=
# How many processes run the tests: auto is one for each core, 0 none but the one you see.
JOBS   ?= auto
# Set to 1 to let `make conformance` make things in the account with this id, and delete them.
MUTATING ?=
ACCOUNT  ?=
# Set to 1 to let `make lock` take newer versions.
UPGRADE ?=

BIN      := $(VENV)/bin
SAM_VENV := .venv-sam
SCAN_VENV := .venv-scan
CLI_VENV := .venv-cli
CHARTS_VENV := .venv-charts
MUTANTS_VENV := .venv-mutants
LAYER    := layers/snaproll
BUILD    := build
# What each role was used for in the last run of the tests.
USES     := $(BUILD)/uses
TRANSLATED := $(BUILD)/template.translated.json
TEMPLATES  := template.yaml fleet/template.yaml fleet/writer.yaml
SCRIPTS    := fleet/user-data.sh .ci/run .ci/find-python
DEFINITIONS := $(sort $(wildcard statemachines/*.asl.yaml))

# Stamps: an environment is as new as the lock that it was installed from.
DEV  := $(VENV)/.installed
SAM  := $(SAM_VENV)/.installed
SCAN := $(SCAN_VENV)/.installed
CLI  := $(CLI_VENV)/.installed
CHARTS := $(CHARTS_VENV)/.installed
MUTANTS := $(MUTANTS_VENV)/.installed
NODE := .ci/node/node_modules/.installed

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.SUFFIXES:
.DEFAULT_GOAL := help
.SECONDARY: $(BIN)/uv $(SAM_VENV)/bin/uv $(SCAN_VENV)/bin/uv $(CLI_VENV)/bin/uv $(CHARTS_VENV)/bin/uv $(MUTANTS_VENV)/bin/uv

# sam needs a Region to read a template, and no target here may reach an account or its telemetry.
export AWS_DEFAULT_REGION ?= us-east-1
export SAM_CLI_TELEMETRY := 0

##@ Use

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^##@/ { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z-]+:.*## / { printf "  %-18s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(DEV) ## Play the rollouts of the story in the embedded AWS; writes build/demo.json
	@mkdir -p $(BUILD)
	$(BIN)/python -m embedded.scenarios.demo

.PHONY: aws
aws: $(DEV) ## Serve the embedded AWS with a fleet in it, for boto3 and the aws CLI (PORT=5000 SPEED=60)
	@$(BIN)/python -m embedded.wire --port "$(PORT)" --speed "$(SPEED)"

.PHONY: simulate
simulate: $(DEV) ## Play SEEDS=200 random schedules and check the invariants; broken off, it goes on
	@mkdir -p $(BUILD)
	$(BIN)/python -m tests.simulation --seeds $(SEEDS) --resume

.PHONY: faults
faults: $(DEV) ## Make every AWS call of every function go wrong in every way
	$(BIN)/python -m tests.faults

.PHONY: conformance
conformance: $(DEV) ## Hold a real AWS account to the contracts (AWS_PROFILE, AWS_REGION; MUTATING=1 ACCOUNT=<id>)
	@mkdir -p $(BUILD)
	@$(BIN)/python -m tools.conformance $(if $(MUTATING),--mutating) $(if $(ACCOUNT),--account "$(ACCOUNT)") $(ARGS)

.PHONY: teeth
teeth: $(DEV) ## Plant bugs and let the simulation find them; writes docs/planted-bugs.md; it goes on
	@mkdir -p $(BUILD)
	$(BIN)/python -m tests.simulation.teeth

.PHONY: bench
bench: $(DEV) ## Measure the budgets of docs/ (import time, calls, transitions, speed)
	@mkdir -p $(BUILD)
	$(BIN)/python -m tests.performance

.PHONY: build
build: $(SAM) ## Build what would be deployed (sam build; needs Python 3.13)
	@python=$$(.ci/find-python 3.13) && \
	  PATH="$$(dirname "$$python"):$$PATH" $(SAM_VENV)/bin/sam build

.PHONY: docs
docs: $(DEV) ## Write what is made from the code: parts of docs/, user data in the fleet's template
	$(BIN)/python -m tools.docs
	$(BIN)/python -m tools.fleet

.PHONY: presets
presets: $(DEV) $(CHARTS) ## Measure the presets of the refresh in the embedded AWS; writes docs/presets.*
	$(BIN)/python -m tools.presets
	$(CHARTS_VENV)/bin/python -m tools.preset_chart

.PHONY: privileges
privileges: test ## Run the tests, and write which rights of each role they used
	$(BIN)/python -m tools.privileges $(USES)

##@ Check

.PHONY: test
test: $(DEV) ## Run the tests (ARGS="…" is passed on to pytest)
	@rm -rf $(USES)
	SNAPROLL_USES=$(USES) $(BIN)/python -m pytest -n $(JOBS) $(ARGS)

.PHONY: check-privileges
check-privileges: $(DEV) ## Check that every right of a role was used by the last `make test`, or is explained
	@test -d $(USES) || $(MAKE) --no-print-directory test
	$(BIN)/python -m tools.privileges $(USES) --check

.PHONY: check-teeth
check-teeth: $(DEV) ## Check that the simulation still finds every planted bug
	$(BIN)/python -m tests.simulation.teeth --check

.PHONY: coverage
coverage: $(DEV) ## Run the tests and report the lines and branches that none reaches
	@mkdir -p $(BUILD)
	$(BIN)/coverage run -m pytest $(ARGS)
	$(BIN)/coverage report

.PHONY: mutants
mutants: $(MUTANTS) ## Mutate the rules of the domain and see that a test notices (ARGS=claims: that module)
	$(MUTANTS_VENV)/bin/python -m tools.mutants $(ARGS)

.PHONY: lint
lint: $(DEV) ## Check style, format, the direction of imports, and shell scripts
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports --no-logo --no-cache
	$(BIN)/shellcheck $(SCRIPTS)

.PHONY: format
format: $(DEV) ## Format the code and mend what ruff can mend
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

.PHONY: types
types: $(DEV) ## Check the types (mypy, strict)
	$(BIN)/mypy

.PHONY: check-templates
check-templates: $(DEV) $(SAM) $(TRANSLATED) $(TEMPLATES) ## Check the templates, as written and as CloudFormation will see them
	$(BIN)/cfn-lint $(TEMPLATES)
	@# The translator resolves a layer's properties early, and leaves a Sub without variables.
	$(BIN)/cfn-lint --ignore-checks W1020 -- $(TRANSLATED)
	$(SAM_VENV)/bin/sam validate --lint --template template.yaml

.PHONY: check-definition
check-definition: $(NODE) $(DEFINITIONS) ## Check the state machine definitions (needs Node)
	.ci/node/node_modules/.bin/asl-validator $(foreach file,$(DEFINITIONS),--yaml-path $(file))

.PHONY: scan
scan: $(SCAN) $(TRANSLATED) ## Scan the templates for insecure settings
	$(SCAN_VENV)/bin/checkov --config-file .ci/checkov.yaml --file $(TRANSLATED) fleet/template.yaml fleet/writer.yaml

.PHONY: check-build
check-build: build $(DEV) ## Build, measure the layer and start every built function (needs Linux)
	@rm -rf $(BUILD)/host
	@python=$$(.ci/find-python 3.13) && export PATH="$$(dirname "$$python"):$$PATH" && \
	  $(MAKE) --no-print-directory -C $(LAYER)/src build-SnaprollLayer \
	    ARTIFACTS_DIR=$(CURDIR)/$(BUILD)/host/layer MACHINE=$$(uname -m) && \
	  $(BIN)/uv pip install --quiet --python "$$python" --target $(BUILD)/host/runtime \
	    --require-hashes --requirement requirements/runtime.txt && \
	  SNAPROLL_PYTHON=$$python $(BIN)/python -m pytest tests/infrastructure/test_built_artifacts.py

.PHONY: check-cli
check-cli: $(DEV) $(CLI) ## Drive make aws with the aws CLI, as an operator would
	SNAPROLL_AWS=$(abspath $(CLI_VENV))/bin/aws $(BIN)/python -m pytest tests/contract/test_aws_cli.py

.PHONY: ci
ci: ## Run everything that must pass before a change lands
	bash .ci/run

$(TRANSLATED): template.yaml $(wildcard statemachines/*) embedded/translate.py | $(DEV)
	@mkdir -p $(@D)
	$(BIN)/python -m embedded.translate template.yaml > $@

##@ Environments

.PHONY: setup
setup: $(DEV) ## Make the development environment (every target does when it needs it)

.PHONY: lock
lock: $(BIN)/uv ## Write the locked requirements anew (UPGRADE=1 takes newer versions)
	$(call compile-all,.)

.PHONY: lock-check
lock-check: $(BIN)/uv ## Check that the locks are what the requirements ask for
	@rm -rf $(BUILD)/locks
	@for file in $(LOCK_INPUTS) $(LOCKS); do \
	  mkdir -p "$(BUILD)/locks/$$(dirname $$file)"; cp $$file "$(BUILD)/locks/$$file"; done
	$(call compile-all,$(BUILD)/locks)
	@for lock in $(LOCKS); do diff -u $$lock $(BUILD)/locks/$$lock || { \
	  echo "$$lock is not what its requirements ask for: run 'make lock' and commit the result." >&2; \
	  exit 1; }; done
	@echo "the locks are current"

.PHONY: clean
clean: ## Remove what commands have produced, environments included
	rm -rf $(BUILD) .aws-sam .coverage .hypothesis .mypy_cache .pytest_cache .ruff_cache
	rm -rf .venv .venv-* $(VENV) .ci/node/node_modules
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

LOCK_INPUTS := pyproject.toml $(LAYER)/pyproject.toml
LOCKS := requirements/dev.txt $(LAYER)/src/requirements.txt \
	requirements/runtime.txt requirements/sam.txt requirements/scan.txt requirements/cli.txt requirements/charts.txt requirements/mutants.txt requirements/uv.txt

# $(call compile,folder,sources,lock): versions stay as the lock has them unless UPGRADE says otherwise.
compile = @cd $(1) && $(abspath $(BIN))/uv pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade) $(2) --output-file $(3)

# $(call compile-all,folder): the layer after development, so that it gets the versions that were tested.
define compile-all
	$(call compile,$(1),$(LAYER)/pyproject.toml --group dev,requirements/dev.txt)
	$(call compile,$(1),$(LAYER)/pyproject.toml --constraints requirements/dev.txt,$(LAYER)/src/requirements.txt)
	$(call compile,$(1),--group runtime,requirements/runtime.txt)
	$(call compile,$(1),--group sam,requirements/sam.txt)
	$(call compile,$(1),--group scan,requirements/scan.txt)
	$(call compile,$(1),--group cli,requirements/cli.txt)
	$(call compile,$(1),--group charts,requirements/charts.txt)
	$(call compile,$(1),$(LAYER)/pyproject.toml --group mutants --constraints requirements/dev.txt,requirements/mutants.txt)
	$(call compile,$(1),--group uv,requirements/uv.txt)
endef

# $(call install,environment,lock): exactly what the lock names, nothing else.
install = @$(1)/bin/uv pip sync --quiet --python $(1)/bin/python --require-hashes $(2) requirements/uv.txt

$(DEV): $(BIN)/uv requirements/dev.txt
	$(call install,$(VENV),requirements/dev.txt)
	@# The layer's package is imported from the work tree, as an editable install would have it.
	@$(BIN)/python -c 'import pathlib, sysconfig; \
	  pathlib.Path(sysconfig.get_path("purelib"), "snaproll.pth").write_text("$(CURDIR)/$(LAYER)/src\n")'
	@touch $@

$(SAM): $(SAM_VENV)/bin/uv requirements/sam.txt
	$(call install,$(SAM_VENV),requirements/sam.txt)
	@touch $@

$(SCAN): $(SCAN_VENV)/bin/uv requirements/scan.txt
	$(call install,$(SCAN_VENV),requirements/scan.txt)
	@touch $@

$(CLI): $(CLI_VENV)/bin/uv requirements/cli.txt
	$(call install,$(CLI_VENV),requirements/cli.txt)
	@touch $@

$(CHARTS): $(CHARTS_VENV)/bin/uv requirements/charts.txt
	$(call install,$(CHARTS_VENV),requirements/charts.txt)
	@touch $@

$(MUTANTS): $(MUTANTS_VENV)/bin/uv requirements/mutants.txt
	$(call install,$(MUTANTS_VENV),requirements/mutants.txt)
	@touch $@

$(NODE): .ci/node/package-lock.json
	$(NPM) ci --prefix .ci/node --ignore-scripts
	@touch $@

# An environment begins with pip, which installs the pinned uv, which installs the rest.
%/bin/uv: requirements/uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "snaproll needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1 | head -n 1)." >&2; \
	  echo "Name another interpreter: make $(MAKECMDGOALS) PYTHON=python3.13" >&2; exit 1; }
	@if ! $*/bin/python -m pip --version >/dev/null 2>&1; then \
	  echo "making $* with $$($(PYTHON) --version)"; \
	  $(PYTHON) -m venv --clear $* || { \
	    echo "'$(PYTHON) -m venv' failed: on Debian and Ubuntu install the package python3-venv." >&2; exit 1; }; fi
	@$*/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@touch $@
