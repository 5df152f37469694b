"""Real servers that keep secrets: OpenBao (the API of Vault), and moto for those of AWS.

Each listens on a free port of 127.0.0.1, and ends when the pipe that a small shell holds is closed:
with the tests, however they end.
"""

import json
import os
import signal
import socket
import subprocess
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lockgate.app.stores import load_extra
from support.gateway import ROOT
from support.processes import until

PROGRAMS = ROOT / ".tools" / "servers" / "bin"
ROOT_TOKEN = "root-token-of-the-tests"
_OUTLIVES_NOBODY = """
"$@" </dev/null &
child=$!
trap '' TERM INT
read -r _
kill -TERM $child
wait $child
"""
START_SECONDS = 60.0
AWS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing-secret-key-of-aws"}


class Vault:
    """OpenBao in its development mode, with ``secret/`` as key-value store, version 2."""

    def __init__(self, address: str) -> None:
        self.address = address

    def call(self, verb: str, place: str, body: Mapping[str, Any] | None = None) -> Any:
        request = urllib.request.Request(  # noqa: S310 - of this machine
            f"{self.address}/v1/{place}", method=verb,
            data=None if body is None else json.dumps(body).encode(),
            headers={"X-Vault-Token": ROOT_TOKEN},
        )  # fmt: skip
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            raw = answer.read()
        return json.loads(raw) if raw else None

    def put(self, path: str, **fields: str) -> None:
        self.call("POST", f"secret/data/{path}", {"data": fields})

    def token(self, **about: Any) -> str:
        """One that may do everything; ``about``: its life and so on."""
        made = self.call("POST", "auth/token/create", {"policies": ["root"], **about})
        return str(made["auth"]["client_token"])

    def approle(self, seconds: int = 600) -> tuple[str, str]:
        """A role's id, and a secret id of it. Its policy permits ``secret/``."""
        allowed = 'path "secret/*" { capabilities = ["create", "read", "update", "delete"] }'
        self.call("PUT", "sys/policies/acl/gate", {"policy": allowed})
        if "approle/" not in self.call("GET", "sys/auth")["data"]:
            self.call("POST", "sys/auth/approle", {"type": "approle"})
        about = {"token_policies": ["gate"], "token_ttl": f"{seconds}s"}
        self.call("POST", "auth/approle/role/gate", about)
        role = self.call("GET", "auth/approle/role/gate/role-id")["data"]["role_id"]
        secret = self.call("POST", "auth/approle/role/gate/secret-id", {})["data"]["secret_id"]
        return str(role), str(secret)


class Aws:
    """What moto keeps. ``endpoint`` is where; clients need ``AWS`` in their environment."""

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint

    def client(self, service: str) -> Any:
        return (
            load_extra("boto3.session")
            .Session(*AWS.values())
            .client(service, region_name="eu-central-1", endpoint_url=self.endpoint)
        )


@contextmanager
def running_vault(*options: str) -> Iterator[Vault]:
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="lockgate-bao-") as folder:
        argv = [str(PROGRAMS / "bao"), "server", "-dev", f"-dev-root-token-id={ROOT_TOKEN}",
                f"-dev-listen-address=127.0.0.1:{port}", "-dev-no-store-token",
                *options]  # fmt: skip
        with running(argv, Path(folder), {"HOME": folder}, port):
            yield Vault(f"http://127.0.0.1:{port}")


@contextmanager
def running_aws() -> Iterator[Aws]:
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="lockgate-moto-") as folder:
        argv = [str(PROGRAMS / "moto_server"), "-H", "127.0.0.1", "-p", str(port)]
        with running(argv, Path(folder), {**AWS, "HOME": folder}, port):
            yield Aws(f"http://127.0.0.1:{port}")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@contextmanager
def running(
    argv: list[str], folder: Path, environ: Mapping[str, str], port: int
) -> Iterator["subprocess.Popen[bytes]"]:
    """From when it listens on ``port`` to the end of its process group."""
    if not Path(argv[0]).exists():
        raise RuntimeError(f"{argv[0]} is missing: run scripts/setup_servers.sh")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            ["sh", "-c", _OUTLIVES_NOBODY, "sh", *argv], cwd=folder, stdin=subprocess.PIPE,
            env={"PATH": "/usr/bin:/bin", **environ}, stdout=log, stderr=log,
            start_new_session=True,
        )  # fmt: skip

    def listens() -> bool:
        if process.poll() is not None:
            raise RuntimeError((folder / "log").read_text())
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            return False
        return True

    try:
        until(listens, START_SECONDS)
        yield process
    finally:
        assert process.stdin is not None
        process.stdin.close()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
