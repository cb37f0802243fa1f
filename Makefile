# Two commands: `make demo` sets everything up and runs the main job, `make test` sets everything up and tests it.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
ESPHOME := .venv-esphome/bin/esphome

# Each process of the tests would compile the package and all tests anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: catalogues demo test core-covered nightly lint types imports docs audit package firmware-test fuzz soak soak-cell demo-cell check format clean bench

demo: $(VENV)/.run
	@$(BIN)/mac-actors demo

# Tests wait more than they compute: two for each core.
WORKERS := $$((2 * $$(nproc)))
PYTEST := $(BIN)/python -m pytest -rs -n $(WORKERS) --dist worksteal

# All tests on all cores, and whether those of the core cover all of it; make test TESTS="tests/core tests/web" runs a part.
# COVERAGE=all, as in .ci/run, measures the whole package and all processes: that takes half as long again.
test: $(VENV)/.dev
ifdef TESTS
	$(PYTEST) $(TESTS)
else ifneq ($(COVERAGE),all)
	$(PYTEST) --cov=mac_actors/core --cov-report=term --cov-fail-under=100
else
	$(PYTEST) --cov --cov-report=term
	@$(MAKE) --no-print-directory core-covered
endif

# Whether the tests that ran last have covered every line and branch of the core.
core-covered:
	@$(BIN)/coverage report --include='mac_actors/core/*' --fail-under=100

# What make test leaves out because it takes long, all Hypothesis tests with many more examples, and a soak.
nightly: $(VENV)/.dev
	HYPOTHESIS_PROFILE=nightly $(PYTEST) -m 'nightly or hypothesis' --timeout=1800
	$(MAKE) soak

# All figures side by side, in some ten minutes; nothing else may run on the computer. BENCH=--small sees that it runs.
bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks.bench --write $(BENCH)

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/codespell

types: $(VENV)/.dev
	$(BIN)/mypy

imports: $(VENV)/.dev
	$(BIN)/lint-imports --no-cache

docs: $(VENV)/.dev
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html

audit: $(VENV)/.dev
	$(BIN)/python -m tests.security.audit

# Puts new texts into all catalogues of mac_actors/languages; with LANGUAGE=it into that one alone, which may be new.
catalogues: $(VENV)/.dev
	@$(BIN)/python -m tests.languages.catalogues $(LANGUAGE)

# Builds sdist and wheel into dist/, and installs the wheel with all that it needs where nothing else is.
package: $(VENV)/.dev
	rm -rf dist mac_actors/web/pages/help
	$(BIN)/sphinx-build -q -b html docs mac_actors/web/pages/help -d docs/_build/doctrees
	rm -rf mac_actors/web/pages/help/_sources mac_actors/web/pages/help/.buildinfo mac_actors/web/pages/help/objects.inv
	$(BIN)/python -m build --no-isolation --outdir dist . >/dev/null
	@set -e; place=$$(mktemp -d); trap 'rm -rf "$$place"' EXIT; \
	  $(PYTHON) -m venv "$$place/venv"; \
	  "$$place/venv/bin/pip" install -q --disable-pip-version-check -c constraints.txt dist/*.whl; \
	  cd "$$place"; venv/bin/mac-actors --version; venv/bin/mac-actors init shop >/dev/null; \
	  cd shop; ../venv/bin/mac-actors check; \
	  MAC_LANGUAGE=de ../venv/bin/mac-actors check >/dev/null

# The firmware of etc/esphome, compiled as a Linux program, with the real server. ESPHome is in an environment of its own.
firmware-test: $(VENV)/.dev $(ESPHOME)
	@$(MAKE) --no-print-directory -j $$(nproc) -f tests/firmware/build.mk ESPHOME=$(ESPHOME)
	ESPHOME=$(ESPHOME) $(PYTEST) -m firmware tests/firmware

$(ESPHOME): tests/firmware/requirements.txt
	@echo "Installing ESPHome into $(dir $(@D)) ..."
	@$(PYTHON) -m venv $(dir $(@D))
	@$(@D)/pip install -q --disable-pip-version-check -r $<
	@touch $@

fuzz soak soak-cell: MINUTES ?= 20
fuzz: $(VENV)/.dev
	@$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e '.[fuzz]'
	$(BIN)/python -m tests.security.fuzz_reports --minutes $(MINUTES)
	$(BIN)/python -m tests.security.fuzz_commands --minutes $(MINUTES)
	$(BIN)/python -m tests.security.fuzz_wire --minutes $(MINUTES)

soak: $(VENV)/.dev
	$(BIN)/python -m tests.hostile
	$(BIN)/python -m tests.faults.soak --minutes $(MINUTES) $(if $(SEED),--seed $(SEED)) --out soak.json

# Two servers, one PostgreSQL, simulated readers, and a key that kills the owner.
demo-cell: $(VENV)/.dev
	@$(BIN)/python -m tests.cluster.demo

# Two servers on one PostgreSQL with a standby: killed, suspended, cut off, with wrong clocks; all is audited at the end.
soak-cell: $(VENV)/.dev
	$(BIN)/python -m tests.cluster.soak --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

check: lint types imports docs test

format: $(VENV)/.dev
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

$(VENV)/.python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "mac-actors needs Python 3.11 or newer; say which with: make PYTHON=python3.11 ..."; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { echo "on Debian: apt install python3-venv"; exit 1; }
	@touch $@

$(VENV)/.run: $(VENV)/.python setup.cfg pyproject.toml constraints.txt
	@echo "Installing mac-actors and what it needs into $(VENV) ..."
	@$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	@echo "Installing what the tests need into $(VENV) ..."
	@$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) .venv-esphome docs/_build build dist *.egg-info .coverage .coverage.*
