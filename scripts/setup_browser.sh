#!/bin/sh
# The browser that tests of the pages drive (tests/support/chromium.py): Chromium from Debian, and
# Playwright, by hash, into .venv. Nothing is downloaded from anywhere else.
set -eu
cd "$(dirname "$0")/.."

ready=.venv/.browser
if ! [ "$ready" -nt tests/browser/requirements.lock ]; then
    echo "Setting up Playwright (once) ..."
    .venv/bin/python -m pip --quiet --disable-pip-version-check --no-input install --no-deps \
        --only-binary :all: --require-hashes -r tests/browser/requirements.lock </dev/null
    touch "$ready"
fi

command -v chromium >/dev/null && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing chromium, which the tests of the pages need (half a minute) ..."
    apt-get update -qq </dev/null
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        chromium </dev/null >/dev/null
    exit 0
fi
echo "The tests of the pages need chromium. Run: sudo apt-get install chromium" >&2
exit 1
