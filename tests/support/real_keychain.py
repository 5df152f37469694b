"""A real keychain: GNOME Keyring on a D-Bus of its own, unlocked, for one folder as home.

Needs ``sh scripts/setup_servers.sh``. Both programs end with the block.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.processes import until

DAEMON = "gnome-keyring-daemon"


@contextmanager
def running_keychain(home: Path) -> Iterator[dict[str, str]]:
    """What programs need in their environment to find it."""
    home.chmod(0o700)
    found = {"HOME": str(home), "XDG_RUNTIME_DIR": str(home), "PATH": os.environ["PATH"],
             "DBUS_SESSION_BUS_ADDRESS": f"unix:path={home / 'bus'}"}  # fmt: skip
    with (home / "log").open("wb") as log:
        bus = subprocess.Popen(
            [_program("dbus-daemon"), "--session", "--nofork",
             f"--address={found['DBUS_SESSION_BUS_ADDRESS']}"],
            env=found, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
    try:
        until((home / "bus").exists, 20)
        with _keyring(found):
            yield found
    finally:
        _end(bus)


@contextmanager
def _keyring(environment: dict[str, str]) -> Iterator[None]:
    with (Path(environment["HOME"]) / "log").open("ab") as log:
        keyring = subprocess.Popen(
            [_program(DAEMON), "--foreground", "--unlock", "--components=secrets"],
            env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
            start_new_session=True,
        )  # fmt: skip
    assert keyring.stdin is not None
    assert keyring.stdout is not None
    try:
        keyring.stdin.write(b"password of the test")
        keyring.stdin.close()
        keyring.stdout.readline()  # it says so when it is there
        yield
    finally:
        keyring.stdout.close()
        _end(keyring)


def _end(process: "subprocess.Popen[bytes]") -> None:
    os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise RuntimeError(f"{name} is missing: run scripts/setup_servers.sh")
    return found
