# The two commands that matter are `make demo` and `make test`; both do all set-up.

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
JOBS   ?= 2

# Where ARGS choose among the tests, one of two runs may have none: pytest's status 5.
OR_NONE = $(if $(ARGS),|| [ $$? -eq 5 ])

# A test whose package is missing says so and is skipped; as root on Debian none is.
DEBIAN_FOR_TESTS := strace chromium prometheus faketime redis-server postgresql nats-server mosquitto systemd-container debootstrap podman runc

.PHONY: help demo test check format scenarios pending soak bench install-service clean

help: ## Show this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: $(VENV)/.installed ## Two simulated venues and the gateway on them, on loopback
	$(BIN)/gateway demo $(DEMO)

test: $(VENV)/.test-ready ## All tests in their short form (under 10 minutes)
	$(BIN)/python -m pytest -n $(JOBS) -m "not scenarios and not soak and not pending" $(ARGS)

check: $(VENV)/.check-ready ## Format, lint, types, import floors
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

format: $(VENV)/.check-ready ## Let ruff format and mend what it can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

scenarios: $(VENV)/.test-ready ## The whole daemon under faults, CI figures (under 35 minutes)
	failed=0; \
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile -m "scenarios and not alone" $(ARGS) $(OR_NONE) || failed=1; \
	$(BIN)/python -m pytest -m "scenarios and alone" $(ARGS) $(OR_NONE) || failed=1; \
	exit $$failed

pending: $(VENV)/.test-ready ## Figures that have yet to pass before they join `scenarios`
	$(BIN)/python -m pytest -m pending $(ARGS)

soak: $(VENV)/.test-ready ## The long forms; hours
	$(BIN)/python -m pytest -m soak --timeout 0 $(ARGS)

bench: $(VENV)/.test-ready ## Benchmarks, side by side with their baselines
	$(BIN)/python -m benchmarks $(ARGS)

install-service: ## As root: install or upgrade the systemd service (systemd/README.md)
	systemd/install

clean: ## Remove what the other targets made
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache var

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or later is needed; $(PYTHON) is older"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || packaging/debian-packages python3-venv
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) -e '.[top]'
	@touch $@

$(VENV)/.test-ready: $(VENV)/.installed packaging/debian-packages
	packaging/debian-packages $(DEBIAN_FOR_TESTS)
	$(PIP) -e '.[test]'
	@touch $@

$(VENV)/.check-ready: $(VENV)/.installed
	$(PIP) -e '.[check,test]'
	@touch $@
