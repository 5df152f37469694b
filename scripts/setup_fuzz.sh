#!/bin/sh
# Installs the coverage-guided fuzzing engine into .venv, by hash, where there is a wheel of it.
# Without one `make fuzz` goes on with its own mutations.
set -eu
cd "$(dirname "$0")/.."

.venv/bin/python -c 'import importlib.util, sys
sys.exit(importlib.util.find_spec("atheris") is None)' && exit 0
.venv/bin/python -m pip --quiet --disable-pip-version-check --no-input install --no-deps \
    --only-binary :all: --require-hashes -r fuzz/requirements.lock </dev/null 2>/dev/null ||
    echo "No atheris for this Python or machine: fuzzing goes on without coverage."
