"""A real OpenID provider that exchanges tokens: npm ``oidc-provider`` with ``exchanging.mjs``."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from support.gateway import ROOT

NODE = ROOT / ".node" / "bin" / "node"
SCRIPT = ROOT / "tests" / "node" / "exchanging.mjs"
CLIENT, SECRET = "gateway", "secret-of-gateway-" + "z" * 24


class Exchanging:
    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self.issuer = self._answer()

    def id_token(self, who: str) -> str:
        """As ``who`` would get it who signed in for ``CLIENT``."""
        return self._ask(f"subject {who}")

    def access_token(self, who: str, resource: str) -> str:
        """As a client of ``who`` would get it for ``resource``."""
        return self._ask(f"subject {who} {resource}")

    def _ask(self, order: str) -> str:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{order}\n".encode())
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith(b"{"):  # oidc-provider has notices of its own
                return str(json.loads(line)["done"])
        raise RuntimeError("the provider has ended; run `sh scripts/setup_node.sh`")


@contextmanager
def running_exchange(trusts: str = "") -> Iterator[Exchanging]:
    """``trusts``: the issuer whose ID-JAGs it takes."""
    process = subprocess.Popen(
        [NODE, SCRIPT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT,
        env={"PATH": os.environ["PATH"]}, start_new_session=True,
    )  # fmt: skip
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        given = {"client": CLIENT, "secret": SECRET, "trusts": trusts}
        process.stdin.write(json.dumps(given).encode() + b"\n")
        process.stdin.flush()
        yield Exchanging(process)
    finally:
        process.stdin.close()
        process.wait(10)
        process.stdout.close()
