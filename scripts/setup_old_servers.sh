#!/bin/sh
# Puts a Python server of spring 2025 into .tools/old-servers, with the SDK of that time, by hash.
# It is a client of nothing here: the gateway starts it as an upstream, for `make conformance`.
set -eu
cd "$(dirname "$0")/.."

place=.tools/old-servers
[ "$place/.ready" -nt conformance/old_servers.lock ] && exit 0
echo "Setting up $place (once; takes half a minute) ..."
.venv/bin/python -m venv --clear "$place"
"$place/bin/python" -m pip --quiet --disable-pip-version-check --no-input install --no-deps \
    --require-hashes -r conformance/old_servers.lock </dev/null
touch "$place/.ready"
