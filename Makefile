# Every task of a developer and of CI. `make help` lists them.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory

bin := .venv/bin
python := $(bin)/python
# What fails fast comes first.
tests := tests/unit $(filter-out %/__pycache__ tests/unit tests/e2e,$(patsubst %/,%,$(wildcard tests/*/))) tests/e2e
faults := tests/faults tests/cluster/test_fuzz.py $(patsubst %,tests/rucio/test_%.py,faults target rucio)
locked := $(bin)/uv pip compile --quiet --generate-hashes --no-header --universal --python-version 3.11

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# --- look ----------------------------------------------------------------------------------------------------

.PHONY: demo
demo: venv ## a cluster with a VRE in it, the journey through it, and its URLs and logins
	@$(python) -m dev.demo up

.PHONY: demo-down
demo-down: venv ## end the demo and leave nothing of it behind
	@$(python) -m dev.demo down

.PHONY: bench
bench: venv ## the engine side by side with others (QUICK=1, N=1000, ROUNDS=7); with a demo up, its measures, too
	@$(python) -m tests.scale bench $(if $(QUICK),--quick) $(if $(N),--largest $(N)) $(if $(ROUNDS),--rounds $(ROUNDS))
	@if $(python) -m dev status --name demo >/dev/null 2>&1; then $(python) -m dev.demo bench; \
	  else echo "With a demo up (make demo) this measures apply to Ready and spawn to JupyterLab, too."; fi

# --- change --------------------------------------------------------------------------------------------------

.PHONY: venv
venv: .venv/.complete ## the Python environment, from the lock files

.venv/.complete: dev/bootstrap/venv dev/bootstrap/uv.lock dev/requirements.lock pyproject.toml
	@PYTHON="$(PYTHON)" dev/bootstrap/venv
	@touch $@

.PHONY: check
check: static ## what a commit must pass, in under a minute: lint, types, unit tests
	@$(bin)/pytest -q tests/unit

.PHONY: static
static: venv
	@$(bin)/ruff check --quiet
	@$(bin)/ruff format --check --quiet
	@$(bin)/mypy
	@$(bin)/lint-imports --no-cache >/tmp/lint-imports.$$$$ 2>&1 || { cat /tmp/lint-imports.$$$$; exit 1; }

# One pytest run, so that its last line tells of every test. What takes minutes is made before it, where
# progress is seen; a fixture would find it missing and make it, too. PYTEST="-n 2", as CI has it, takes
# half the time where nothing else runs.
.PHONY: test
test: static ## all tests that CI runs: check, cluster tests, the journey in a browser
	@$(python) -m dev.demo prepare
	@$(bin)/pytest $(tests) $(PYTEST)

# Two hours: with RESUME=1 a run of this tree that was cut off goes on. In the order of tests/faults/conftest.py:
# pytest-xdist would begin with those that have many tests, and end with the longest. The table is printed in any
# case, and the exit code is pytest's. Native tracebacks: pytest's own parse the source, which Python 3.11 now and
# then answers with a SystemError that ends the whole run.
.PHONY: test-long
test-long: venv ## every plan of faults, with a table of what was run and found
	@$(python) -m tests.faults.resume artifacts $(if $(RESUME),--resume)
	@$(python) -m dev.demo prepare
	@VRE_LONG=1 VRE_FAULT_PROGRESS=artifacts VRE_FAULT_REPORT=artifacts/faults.jsonl $(bin)/pytest -n 5 --no-loadscope-reorder --tb=native --timeout 1800 $(faults) $(PYTEST) || failed=$$?; \
	  $(python) -m tests.faults.report artifacts/faults.jsonl; exit $${failed:-0}

.PHONY: format
format: venv ## put the sources into the project's form
	@$(bin)/ruff check --quiet --fix
	@$(bin)/ruff format --quiet

# --- generated files, kept in the repository; tests fail when they are stale -------------------------------------

.PHONY: crds
crds: venv ## the CRDs, their copy in the chart, the schema of its values
	@$(python) -m dev.generate

.PHONY: lock
lock: venv ## the lock files, with the newest versions that fit: make lock UPGRADE=--upgrade
	@$(locked) $(UPGRADE) pyproject.toml -o requirements.lock
	@$(locked) $(UPGRADE) pyproject.toml --group dev -o dev/requirements.lock
	@$(locked) $(UPGRADE) dev/bootstrap/uv.in -o dev/bootstrap/uv.lock
	@cd dev/images/locks && for source in *.in; do \
	  ../../../$(locked) $(UPGRADE) "$$source" -o "$${source%.in}.lock"; done

# --- what is shipped, and from whom it comes ----------------------------------------------------------------------

.PHONY: audit
audit: venv ## known vulnerabilities of what is locked; where no advisory service answers it says so (AUDIT=required fails)
	@$(python) -m dev.audit $(if $(filter required,$(AUDIT)),--required)

.PHONY: sbom
sbom: venv ## what is in the operator's image, as CycloneDX: artifacts/sbom.json
	@$(python) -m dev.sbom

# --- parts of the above ------------------------------------------------------------------------------------------

.PHONY: images
images: venv ## the development images, as archives in the cache
	@$(python) -m dev.images build

.PHONY: clean-test
clean-test: venv ## end the tests' clusters, should a run have been cut off
	@for name in e2e api catalogue faults faultsgw0 faultsgw1 faultsgw2 faultsgw3 faultsgw4 nbr r5 scale scalecount; do $(python) -m dev down --name "$$name"; done

.PHONY: clean
clean: ## remove what make made in this folder (the build cache stays: python -m dev says where)
	@if [ -x $(python) ]; then $(MAKE) demo-down clean-test; fi
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis artifacts dist
