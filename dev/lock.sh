#!/usr/bin/env bash
# Pins requirements/*.txt, with hashes, from pyproject.toml. No package index address is written.
set -euo pipefail
cd "$(dirname "$0")/.."
compile() { uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
  --custom-compile-command "make lock" "$@"; }
compile --extra operator pyproject.toml -o requirements/operator.txt
compile --extra engine pyproject.toml -o requirements/engine.txt
compile --extra operator --extra engine --extra dev pyproject.toml -o requirements/dev.txt
compile requirements/bootstrap.in -o requirements/bootstrap.txt
compile requirements/checkov.in -o requirements/checkov.txt
