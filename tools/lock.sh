#!/usr/bin/env bash
# Renews requirements/*.txt from pyproject.toml: every package with its version and hashes, no
# index addresses. Needs uv (python3 -m pip install uv). Arguments go to uv, e.g. --upgrade.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
options=(--quiet --universal --python-version 3.11 --generate-hashes
    --no-emit-index-url --no-header --no-annotate "$@")
uv pip compile "${options[@]}" pyproject.toml --all-extras --group build -o requirements/runtime.txt
uv pip compile "${options[@]}" --group dev -c requirements/runtime.txt -o requirements/dev.txt
uv pip compile "${options[@]}" requirements/eval.in -o requirements/eval.txt
