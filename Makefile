# Every target runs in the environment that dev/bootstrap.sh makes; nothing but Python >= 3.11 with pip is assumed.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
# A failed bootstrap ends the recipe: -e sees the failed assignment.
RUN = venv="$$(dev/bootstrap.sh)"; PATH="$$venv/bin:$$PATH" PYTHONUNBUFFERED=1
.PHONY: help demo test check fmt generate lock images up down bench chaos compose-dev compose-prod

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: ## operator on a cluster, an InsightEngine applied, a query answered
	@$(RUN) python -m dev.demo

test: ## everything that proves it: static checks, unit, real API server, real cluster
	@$(RUN) python -m dev.testrun

check: ## static checks and unit tests: what every commit must pass
	@$(RUN) python -m dev.testrun --tier static --tier unit

fmt: ## format and fix what can be fixed
	@$(RUN) ruff format .
	@$(RUN) ruff check --fix .

generate: ## rewrite the generated files (CRD, chart copy, reference docs)
	@$(RUN) python -m dev.generate

lock: ## pin requirements/*.txt from pyproject.toml
	@$(RUN) dev/lock.sh

images: ## build the images and push them to the local registry
	@$(RUN) python -m dev.images build

up: ## bring the local cluster up
	@$(RUN) python -m dev.cluster up

down: ## take every trace of the local cluster down
	@$(RUN) python -m dev.cluster down

compose-dev: ## the development deployment by Compose, on http://localhost:8000
	@$(RUN) python -m dev.compose up dev

compose-prod: ## the production deployment by Compose
	@$(RUN) python -m dev.compose up prod

bench: ## measure the figures in docs/benchmarks.md
	@$(RUN); python -m dev.bench; python -m dev.bench.guard_peers; python -m dev.bench.operator_figures

chaos: ## run the fault campaigns at full size
	@$(RUN) INSIGHT_CAMPAIGN=full pytest -s tests/security/test_fuzz.py tests/engine/test_campaign.py \
	  tests/engine/test_campaign_cancel.py tests/engine/test_faults.py tests/apiserver/test_crash.py tests/e2e/test_faults.py
