#!/bin/sh
# The tests put a real Git server behind the gate, on a repository of their own: that needs git.
set -eu
command -v git >/dev/null && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing git, which the tests of a real Git server need ..."
    apt-get update -qq </dev/null
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        git </dev/null >/dev/null
    exit 0
fi
echo "The tests need git. Run: sudo apt-get install git" >&2
exit 1
