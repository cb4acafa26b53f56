# Parley. `make` alone prints what there is.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
FAST := not connected and not browser and not faults and not slow

.PHONY: help run test test-fast check fmt proto up down up-local down-local bench faults eval eval-knowledge image \
	screenshots new-service doctor lock clean

help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ---- what is installed -------------------------------------------------------------------------------------------

$(VENV)/.made:
	@PYTHON=$(PYTHON) sh deploy/make_venv.sh $(VENV)
	@touch $@

$(VENV)/.product: $(VENV)/.made requirements/all.txt pyproject.toml
	@echo "installing the product (once) ..."
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements/all.txt
	@$(BIN)/python -m pip install --quiet --no-deps --editable .
	@touch $@

$(VENV)/.tools: $(VENV)/.product requirements/dev.txt
	@echo "installing the tools for checks and tests (once) ..."
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.txt
	@touch $@

$(VENV)/.bench: $(VENV)/.tools requirements/bench.txt
	@echo "installing the peers that benchmarks measure beside (once) ..."
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements/bench.txt
	@touch $@

# ---- use -----------------------------------------------------------------------------------------------------------

run: $(VENV)/.product ## start everything in one process and print the page's address; Ctrl-C ends it
	@PARLEY_DEMO=$${PARLEY_DEMO:-1} PARLEY_DRAIN_SECONDS=$${PARLEY_DRAIN_SECONDS:-2} \
		PARLEY_LOG_LEVEL=$${PARLEY_LOG_LEVEL:-WARNING} \
		PARLEY_KNOWLEDGE_FOLDERS=$${PARLEY_KNOWLEDGE_FOLDERS:-examples/shop/handbook} exec $(BIN)/parley run all

up: ## start the whole stack with Docker: brokers, databases, dashboards, services
	docker compose up --build --detach

down: ## end it
	docker compose down

up-local: $(VENV)/.tools ## every service as its own process, on a private RabbitMQ and MongoDB-protocol server
	@sh tests/servers/install.sh
	@$(BIN)/python -m parley.testing.local up

down-local: $(VENV)/.product ## end those
	@$(BIN)/python -m parley.testing.local down

doctor: $(VENV)/.product ## what is missing, and the one command that mends it
	@$(BIN)/parley doctor

# ---- work on it ----------------------------------------------------------------------------------------------------

test: $(VENV)/.tools ## everything: fast part, real RabbitMQ and MongoDB protocol, headless Chromium, faults
	@sh tests/servers/install.sh
	@$(BIN)/python -m tests.run all

test-fast: $(VENV)/.tools ## the part that needs no server and no browser, under a minute
	@$(BIN)/python -m tests.run fast

check: $(VENV)/.tools ## lint, types, walls, contracts, chart, compose, image file; under a minute
	@$(BIN)/python -m tests.architecture.check

fmt: $(VENV)/.tools ## format the code
	@$(BIN)/ruff check --quiet --fix . ; $(BIN)/ruff format --quiet . ; $(BIN)/buf format --write

proto: $(VENV)/.tools ## generate the contracts from proto/
	@$(BIN)/python proto/generate.py

bench: $(VENV)/.bench ## speed beside floors and peers, writes benchmarks/RESULTS.md; ROWS=chain,burst ROUNDS=3 HOLD=600
	@sh tests/servers/install.sh
	@[ -d benchmarks/limits/node_modules/amqplib ] || npm ci --prefix benchmarks/limits --silent --no-audit --no-fund
	@$(BIN)/python -m benchmarks.bench $(if $(ROWS),--rows $(ROWS)) $(if $(ROUNDS),--rounds $(ROUNDS)) \
		$(if $(HOLD),--hold $(HOLD))

faults: $(VENV)/.tools ## kill, freeze and cut each part at full length; writes docs/reliability.md
	@sh tests/servers/install.sh
	@$(BIN)/python -m tests.run faults

eval: $(VENV)/.tools ## every evaluation beside its bar: guards, conversations, retrieval; EVAL_DATA as below
	@$(BIN)/python -m evaluation

eval-knowledge: $(VENV)/.tools ## retrieval and answerability beside their bars; EVAL_DATA=folder of the public sets
	@$(BIN)/python -m evaluation.knowledge

image: ## build the container image, by Docker where there is one, else by buildah
	@bash deploy/build_image.sh

screenshots: $(VENV)/.tools ## the pictures in README, taken from the running product
	@$(BIN)/python -m tests.browser.screenshots

new-service: $(VENV)/.product ## NAME=translator: a folder that runs, is tested and appears in `parley list`
	@[ -n "$(NAME)" ] || { echo "which name? e.g. make new-service NAME=translator" >&2; exit 1; }
	@$(BIN)/parley new-service $(NAME)
	@touch pyproject.toml

lock: $(VENV)/.tools ## resolve the dependencies again, with hashes and without addresses
	@$(BIN)/python -m pip install --quiet uv
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
		--extra dev pyproject.toml -o requirements/dev.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
		--extra all -c requirements/dev.txt pyproject.toml -o requirements/all.txt
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
		--extra bench -c requirements/dev.txt pyproject.toml -o requirements/bench.txt
	@echo 'hatchling>=1.25' | $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--no-annotate --no-emit-index-url - -o requirements/build.txt

clean: ## remove what was installed and built; data under var/ stays
	rm -rf $(VENV) .servers .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
