#!/bin/sh
# Installs dist/*.whl with its demo extra into an empty environment, as a new user would, and runs the
# demo from an empty folder: nothing of this checkout is in reach.
set -eu
cd "$(dirname "$0")/.."
wheel="$(ls "$PWD"/dist/lockgate-*.whl)"
there="$(mktemp -d)"
trap 'rm -rf "$there"' EXIT
"$PWD/.venv/bin/python" -m venv "$there/venv"
cd "$there"
"$there/venv/bin/python" -m pip --quiet --disable-pip-version-check --no-input install "${wheel}[demo]"
mkdir empty
cd empty
env -u PYTHONPATH "$there/venv/bin/lockgate" demo </dev/null
echo "The wheel's demo ran in an empty environment."
