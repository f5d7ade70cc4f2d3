# What a newcomer needs. Each target sets up what it uses; a second call reuses it.
PYTHON ?= python3
BIN := .venv/bin
DEMO := none event user
DEPLOYER := '.[client,server]'
EVERYTHING := '.[baselines,client,dev,keyring,plots,ray,server,simulation]'

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo deploy-demo bench test lint types contracts wheel-check slim-check proto clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(DEMO:%=runs/demo-%/shared.safetensors) ## Run three small federations on real data and print one table
	$(BIN)/penchant compare $(DEMO:%=runs/demo-%)

runs/demo-%/shared.safetensors: recipes/movielens-100k-%.toml | .venv/movielens-100k
	$(BIN)/penchant simulate $< --out runs/demo-$* $$(test ! -f runs/demo-$*/run.json || echo --resume)
	@touch $@

deploy-demo: .venv/deployer .venv/movielens-100k ## Run a server and three clients over TLS as separate processes, and audit them
	$(BIN)/python .ci/deploy-demo

bench: .venv/user .venv/movielens-1m ## Measure Penchant beside its peers, each in an environment of its own
	$(BIN)/python -m benchmarks

.venv/movielens-%: | .venv/user
	$(BIN)/penchant data get movielens-$* --accept-terms
	@touch $@

test: .venv/developer ## Run the tests
	OMP_NUM_THREADS=1 $(BIN)/pytest --numprocesses 2 --dist loadgroup

lint: .venv/developer ## Check style and formatting
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: .venv/developer ## Check types
	$(BIN)/mypy

contracts: .venv/developer ## Check that imports point one way and stay outside the privacy boundary
	$(BIN)/lint-imports --no-logo

wheel-check: .venv/developer ## Build the wheel, install it alone elsewhere, simulate with it
	.ci/wheel-check

slim-check: .venv/developer ## Hold a device's installs to their budgets
	.ci/slim-check

proto: .venv/developer ## Make the agent's modules from its .proto file
	$(BIN)/python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. --grpc_python_out=. penchant/client/agent_v1/agent.proto

clean: ## Remove the environment, builds and caches (runs stay)
	rm -rf .venv benchmarks/.environments build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/user: pyproject.toml constraints.txt
	$(call install,'.[simulation]')
	touch $@

.venv/deployer: pyproject.toml constraints.txt
	$(call install,$(DEPLOYER))
	touch .venv/user $@

.venv/developer: pyproject.toml constraints.txt
	$(call install,$(EVERYTHING))
	touch .venv/user .venv/deployer $@

define install
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	{ echo 'Penchant needs Python 3.11 or later; say for instance: make PYTHON=python3.12' >&2; exit 1; }
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --no-compile --constraint constraints.txt --editable $(1)
endef
