#!/bin/sh
# Makes .venv from the hash-pinned lock file and installs this checkout into it.
# A marker file, newer than the lock, makes the next run free.
set -eu
cd "$(dirname "$0")/.."

find_python() {
    for name in python3 python3.11 python3.12 python3.13 python3.14; do
        if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$name"
            return 0
        fi
    done
    echo "Lockgate needs Python 3.11 or newer, and there is no such python3 on the PATH." >&2
    echo "On Debian 12: apt-get install python3 python3-venv" >&2
    return 1
}

# Debian splits venv's installer off into a package of its own.
need_venv() {
    "$1" -c 'import ensurepip, venv' 2>/dev/null && return 0
    case "$1" in
        /usr/bin/python3) package=python3-venv ;;
        *) package="$(basename "$1")-venv" ;;
    esac
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        echo "Installing $package, which 'python3 -m venv' needs ..."
        apt-get update -qq </dev/null
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
            "$package" </dev/null >/dev/null
        return 0
    fi
    echo "'$1 -m venv' does not work: the Debian package $package is missing." >&2
    echo "Run: sudo apt-get install $package" >&2
    return 1
}

python="$(find_python)"
need_venv "$python"
echo "Setting up .venv with $("$python" --version) (once; takes a minute) ..."
rm -f .venv/.ready
[ -x .venv/bin/python ] && .venv/bin/python -m pip --version >/dev/null 2>&1 ||
    "$python" -m venv --clear .venv
pip() { .venv/bin/python -m pip --quiet --disable-pip-version-check --no-input "$@" </dev/null; }
# The lock is complete, so pip need not resolve anything; `pip check` says if that is ever untrue.
pip install --require-hashes --no-deps -r requirements.lock
# The build backend is in the lock too, so nothing unpinned is fetched to build with.
pip install --no-deps --no-build-isolation -e .
pip check
touch .venv/.ready
