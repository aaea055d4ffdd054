# Everything from a bare machine: `make demo`, `make test`. DISTRO chooses the ROS 2 release.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

DISTRO ?= $(or $(ROS_DISTRO),kilted)
PYTHON ?= python3
ARGS ?=
export DISTRO

environment := .venv/$(DISTRO)
workspace := .build/$(DISTRO)
run := environment/run

.PHONY: help environment build demo test test-all test-matrix lint bench bench-full docs clean distclean

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

environment: ## Make the Python environment with ROS 2 (again when its pins change)
	@$(PYTHON) environment/make.py $(environment) --distro $(DISTRO)

build: environment ## Build the ROS 2 package with colcon
	@$(run) environment/build $(workspace)

demo: build ## Run the whole loop on simulated robots: make demo ARGS="--robots 2 --tasks 10"
	@$(run) environment/libraries
	@$(run) $(workspace)/install/lib/active_collection/demo $(ARGS)

test: build lint ## Lint, types, unit tests and integration tests with real nodes
	@$(run) pytest -m "not slow" $(ARGS)

test-all: build lint ## The same and the long fault campaigns
	@$(run) pytest $(ARGS)

test-matrix: ## Try fresh environments: the distributions' versions, the oldest, the newest
	@$(PYTHON) -m environment.matrix $(ARGS)

lint: environment ## ruff and mypy
	@$(run) ruff check .
	@$(run) mypy

bench: build ## Run one benchmark, or all quickly: make bench BENCH=selection ARGS="--quick"
	@$(run) environment/benchmark "$(BENCH)" $(if $(ARGS),$(ARGS),--quick)

bench-full: build ## Run every benchmark in full
	@$(run) environment/benchmark "" $(ARGS)

docs: build ## Write the documentation's tables from the code
	@$(run) python docs/tables.py

clean: ## Remove what was built, keep the environment
	@rm -rf .build .pytest_cache .mypy_cache .ruff_cache .hypothesis build install log
	@find . -path ./.venv -prune -o -name __pycache__ -type d -print0 | xargs -0 rm -rf

distclean: clean ## Remove the environment too
	@rm -rf .venv
