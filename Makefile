# A newcomer types `make run` and `make check`; either makes .venv first, out of the locked requirements.
# Only .venv's Python is ever run, so nothing that is installed elsewhere can decide a result.

PYTHON    ?= python3
VENV      := .venv
PY        := $(VENV)/bin/python
RUNTIME   := $(VENV)/.runtime
INSTALLED := $(VENV)/.installed
LOCK_VENV := .lock-venv
BASE      ?= origin/main
COMMIT_TREE := .commit-tree
WORKFLOW_CHECK := tools/workflow_check
WORKER    := scheduler
PAGE_CHECK := tools/page_check
PAGES     := build/pages
SNAPSHOT  := tests/fixtures/snapshots/regular-session.json

# Binary packages only: building one from source would fetch build tools that no hash has been seen of.
# Nothing is compiled ahead: of the largest packages only a small part is ever imported.
PIP_INSTALL := -m pip install -qq --disable-pip-version-check --no-compile
FROM_LOCK   := --require-hashes --only-binary :all:
UV_COMPILE  := UV_PYTHON_DOWNLOADS=never $(LOCK_VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate --custom-compile-command 'make lock' \
	$(if $(UPGRADE),--upgrade) pyproject.toml

define CHECK_PYTHON
$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
  echo "make: needs Python 3.11 or newer, and '$(PYTHON)' is not; install one, or name it: make PYTHON=python3.12 ..." >&2; exit 1; }; \
$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
  echo "make: '$(PYTHON)' came without its venv module; install it, e.g. apt-get install python3-venv" >&2; exit 1; }
endef

# What the caller's shell has on its path must not be found before what the lock names; and where it forbids bytecode, each
# process of the tests would compile the program again.
unexport PYTHONPATH PYTHONHOME PYTHONDONTWRITEBYTECODE

MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# The checks end at the first failure, and the cheap ones come first.
.NOTPARALLEL:
.PHONY: commits dist help run check lint types floors docs-check calendar-check workflows worker pages pictures test bench docs calendar format lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: $(RUNTIME) ## the main job, on a shipped snapshot of a regular session
	@$(PY) -m detector < $(SNAPSHOT)

check: lint types floors docs-check calendar-check workflows worker pages test ## everything that CI checks, in CI's order
	@echo "check: all good"

lint: $(INSTALLED) ## style, complexity and security rules, and the formatting
	@echo "lint: ruff"
	@$(PY) -m ruff check --quiet && $(PY) -m ruff format --check --quiet --diff \
	  || { echo "lint: \`make format\` mends the formatting and what ruff can repair; the rest is for you" >&2; exit 1; }

types: $(INSTALLED) ## the types, strictly
	@echo "types: mypy"
	@$(PY) -m mypy --no-error-summary

floors: $(INSTALLED) ## imports only go down, and the pure floors are pure
	@echo "floors: import-linter"
	@said=$$($(PY) $(VENV)/bin/lint-imports --no-logo) || { echo "$$said"; exit 1; }

docs-check: $(INSTALLED) ## the generated tables, schemas and help are as the code makes them
	@echo "docs: generated parts against the code"
	@$(PY) tools/generate_docs.py --check

calendar-check: $(INSTALLED) ## the market calendar is as the calendar library makes it
	@echo "calendar: shipped table against the library"
	@$(PY) tools/make_exchange_days.py --check

workflows: $(INSTALLED) $(WORKFLOW_CHECK)/node_modules/.installed ## the workflows: their schema, their security, GitHub's own parser
	@echo "workflows: check-jsonschema, zizmor, GitHub's parser"
	@said=$$($(PY) $(VENV)/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml) || { echo "$$said"; exit 1; }
	@said=$$($(VENV)/bin/zizmor --quiet --offline --no-progress --persona auditor .github/workflows) || { echo "$$said"; exit 1; }
	@cd $(WORKFLOW_CHECK) && npm run --silent check
	@cd $(WORKFLOW_CHECK) && said=$$(npm test --silent 2>&1) || { echo "$$said"; exit 1; }

worker: $(WORKER)/node_modules/.package-lock.json ## the Cloudflare Worker: style, types, tests in its own runtime, the bundle
	@echo "worker: style, types, workerd tests, bundle"
	@npm --prefix $(WORKER) --silent run check

pages: $(INSTALLED) $(PAGE_CHECK)/node_modules/.installed ## the report's pages in a real Chromium: accessibility, three widths, both schemes, print
	@echo "pages: axe-core in Chromium"
	@rm -rf $(PAGES) && $(PY) -m tools.incident_pages $(PAGES) >/dev/null
	@sh $(PAGE_CHECK)/run.sh "$(CURDIR)/$(PAGES)"

pictures: $(INSTALLED) $(PAGE_CHECK)/node_modules/.installed ## take the documents' pictures of the report's page again
	@rm -rf $(PAGES) && $(PY) -m tools.incident_pages $(PAGES) >/dev/null
	@sh $(PAGE_CHECK)/run.sh "$(CURDIR)/$(PAGES)" "$(CURDIR)/$(PAGES)/pictures"
	@mkdir -p docs/pictures
	@cp $(PAGES)/pictures/2025-09-15-connection-outage-remote-360-dark.png docs/pictures/report-phone.png
	@cp $(PAGES)/pictures/2026-05-06-power-outage-on-the-machine-1280-light.png docs/pictures/report-desk.png
	@$(PY) -m tools.alert_picture

commits: $(INSTALLED) ## each commit since BASE starts and collects its tests, in a folder of its own
	@for commit in $$(git rev-list --reverse --no-merges $(BASE)..HEAD); do \
	  git log -1 --format='commits: %h %s' $$commit; \
	  git worktree add --quiet --detach $(COMMIT_TREE) $$commit || exit 1; \
	  (cd $(COMMIT_TREE) && export PYTHONPATH=. && echo '{}' | ../$(PY) -m detector --offline --quiet >/dev/null \
	    && ../$(PY) -m pytest --collect-only -q -p no:cacheprovider >/dev/null); said=$$?; \
	  git worktree remove --force $(COMMIT_TREE); \
	  [ $$said -eq 0 ] || exit 1; \
	done

# NUT's upsd and its dummy driver: CI installs them and may not do without, a desk without them skips that test and says so.
ups:
	@if [ ! -x /lib/nut/upsd ] && [ -n "$$CI" ]; then sudo=$$(command -v sudo || true); \
	  $$sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$sudo apt-get install -y -qq --no-install-recommends nut-server >/dev/null; fi

# The whole suite runs as two halves side by side, for it is longer than the patience of one core: what tries a room of the
# house, and what tries the whole program.
ROOM_TESTS := $(filter-out tests/fixtures/ tests/support/,$(sort $(dir $(wildcard tests/*/*.py))))
PROGRAM_TESTS := $(wildcard tests/test_*.py)
test: $(INSTALLED) ups ## the tests; ARGS="-k heartbeat" hands words to pytest
	@echo "test: pytest"
ifdef ARGS
	@$(PY) -m pytest -q $(ARGS)
else
	@$(PY) -m pytest -q -p no:cacheprovider $(ROOM_TESTS) >$(VENV)/room-tests.txt 2>&1 & rooms=$$!; \
	$(PY) -m pytest -q -p no:cacheprovider $(PROGRAM_TESTS); program=$$?; \
	wait $$rooms; rooms=$$?; cat $(VENV)/room-tests.txt; exit $$((rooms || program))
endif

bench: $(INSTALLED) ## speed, as ratios measured in one run
	@$(PY) -m benchmarks

dist: $(INSTALLED) ## the sdist and the wheel, in dist/; the wheel is made from the sdist, as an installer would
	@rm -rf dist
	@$(PY) -m hatchling build -t sdist -d dist
	@mkdir dist/unpacked && tar -xzf dist/*.tar.gz -C dist/unpacked --strip-components 1
	@cd dist/unpacked && ../../$(PY) -m hatchling build -t wheel -d ..
	@rm -rf dist/unpacked

docs: $(INSTALLED) ## write the generated tables, schemas and help again
	@$(PY) tools/generate_docs.py

calendar: $(INSTALLED) ## write the market calendar again
	@$(PY) tools/make_exchange_days.py

format: $(INSTALLED) ## format, and repair what ruff can repair
	@$(PY) -m ruff check --quiet --fix-only
	@$(PY) -m ruff format --quiet

lock: $(LOCK_VENV)/bin/uv ## write requirements/ again; pins stay where they fit, UPGRADE=1 lifts them
	@$(UV_COMPILE) --extra ibkr --output-file requirements/ibkr.txt
	@$(UV_COMPILE) --constraints requirements/ibkr.txt --output-file requirements/runtime.txt
	@$(UV_COMPILE) --group dev --constraints requirements/ibkr.txt --output-file requirements/dev.txt

clean: ## remove all that is made: the environments, caches and builds
	@rm -rf $(VENV) $(LOCK_VENV) $(WORKFLOW_CHECK)/node_modules $(PAGE_CHECK)/node_modules $(WORKER)/node_modules build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .benchmarks
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# What a run needs, and no more: a third of what a developer installs, and the command `detector`, without the build
# backend that an editable install wants. Begun again whenever the lock changes, so that
# what it no longer names is gone too.
$(RUNTIME): requirements/runtime.txt
	@$(CHECK_PYTHON)
	@echo "setup: $(VENV) from requirements/runtime.txt (once; seconds)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(PY) $(PIP_INSTALL) $(FROM_LOCK) -r requirements/runtime.txt
	@echo "$(CURDIR)" >"$$($(PY) -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/detector.pth"
	@printf '#!/bin/sh\nexec "%s" -m detector "$$@"\n' "$(CURDIR)/$(PY)" >$(VENV)/bin/detector && chmod +x $(VENV)/bin/detector
	@touch $@

# `pip check` at the end: the package asks for nothing that the lock does not hold.
$(INSTALLED): requirements/dev.txt
	@$(CHECK_PYTHON)
	@echo "setup: $(VENV) from requirements/dev.txt (once; under a minute)"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(PY) $(PIP_INSTALL) $(FROM_LOCK) -r requirements/dev.txt
	@$(PY) $(PIP_INSTALL) --no-index --no-deps --no-build-isolation -e .
	@$(PY) -m pip --disable-pip-version-check check >$(VENV)/pip-check.txt || { cat $(VENV)/pip-check.txt >&2; exit 1; }
	@touch $(RUNTIME) $@

# GitHub's parser and seven packages under it, none of them with a script of its own.
$(WORKFLOW_CHECK)/node_modules/.installed: $(WORKFLOW_CHECK)/package-lock.json
	@command -v npm >/dev/null || { echo "make: the check of the workflows needs npm, with Node 20.6 or newer" >&2; exit 1; }
	@echo "setup: $(WORKFLOW_CHECK) from its lock (once; seconds)"
	@cd $(WORKFLOW_CHECK) && npm ci --ignore-scripts --silent
	@touch $@

# A driver and the rules, without any browser of their own.
$(PAGE_CHECK)/node_modules/.installed: $(PAGE_CHECK)/package-lock.json
	@command -v npm >/dev/null || { echo "make: the check of the pages needs npm, with Node 20.6 or newer" >&2; exit 1; }
	@echo "setup: $(PAGE_CHECK) from its lock (once; seconds)"
	@cd $(PAGE_CHECK) && npm ci --ignore-scripts --silent
	@touch $@

# Cloudflare's runtime, its tool and the Node that the tool needs; npm writes the file named here when it is done.
$(WORKER)/node_modules/.package-lock.json: $(WORKER)/package-lock.json
	@command -v npm >/dev/null || { echo "make: the check of the Worker needs npm" >&2; exit 1; }
	@echo "setup: $(WORKER) from its lock (once; half a minute, 440 MB)"
	@npm ci --prefix $(WORKER) --silent
	@touch $@

$(LOCK_VENV)/bin/uv:
	@$(PYTHON) -m venv --clear $(LOCK_VENV)
	@$(LOCK_VENV)/bin/python $(PIP_INSTALL) 'uv>=0.9,<1'
