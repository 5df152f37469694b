#!/bin/sh
# The tests start a real PostgreSQL server of their own (tests/support/postgres.py); this makes sure
# that its programs are there.
set -eu
command -v initdb >/dev/null && command -v postgres >/dev/null && exit 0
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing PostgreSQL, which the tests of the shared database need ..."
    apt-get update -qq </dev/null
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        postgresql </dev/null >/dev/null
    exit 0
fi
echo "The tests need PostgreSQL's programs. Run: sudo apt-get install postgresql" >&2
exit 1
