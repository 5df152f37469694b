"""Peers that pip installs, each in an environment of its own under ``.bench``."""

import base64
import hashlib
import hmac
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from bench import processes
from bench.arm import Failed, FastUpstream, Target, await_port, free_port
from bench.upstream import tool_name

FASTMCP = "fastmcp==4.1.6"
CONTEXTFORGE = "mcp-contextforge-gateway"
_CERTIFI = "certifi>=2025\n"
"""FastMCP 4.1.6 asks for a release of certifi that is not there everywhere."""
_SECRET = "bench-only-secret-of-thirty-two-characters"  # noqa: S105
_START_SECONDS = 120.0


class FastMcpProxy:
    """``shared``: one client for all sessions; else as its documentation shows first."""

    def __init__(self, fast: FastUpstream, cache: Path, core: int, *, shared: bool) -> None:
        self.name = "fastmcp-shared" if shared else "fastmcp-documented"
        self._fast = fast
        self._home = cache / "fastmcp"
        self._core = core
        self._shared = shared
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, place: Path) -> Target:
        python = environment(self._home, FASTMCP)
        port = free_port()
        program = Path(__file__).parent / "fastmcp_proxy.py"
        url = f"http://127.0.0.1:{self._fast.port}/json"
        command = [
            str(python),
            "-P",
            str(program),
            url,
            str(port),
            "shared" if self._shared else "own",
        ]
        began = time.perf_counter()
        self._process = processes.start(command, self._core, place / "fastmcp.log")
        return Target(port, ("/mcp",), (tool_name(0),), {}, "legacy", self._process.pid, began)

    def stop(self) -> None:
        if self._process is not None:
            processes.stop(self._process)
            self._process = None

    def verify(self, sent: int) -> None:
        """It has no control that could be skipped."""


class ContextForge:
    """As installed: SQLite, one worker; only its rate limit of some 100 calls a minute is off."""

    name = "contextforge"

    def __init__(self, fast: FastUpstream, cache: Path, core: int) -> None:
        self._fast = fast
        self._home = cache / "contextforge"
        self._core = core
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, place: Path) -> Target:
        python = environment(self._home, CONTEXTFORGE)
        port = free_port()
        program = str(python.parent / "mcpgateway")
        began = time.perf_counter()
        self._process = processes.start(
            [program, "--host", "127.0.0.1", "--port", str(port)], self._core,
            place / "contextforge.log", env=_settings(place), cwd=place,
        )  # fmt: skip
        await_port(port, _START_SECONDS)
        headers = {"authorization": f"Bearer {_token()}"}
        base = f"http://127.0.0.1:{port}"
        upstream = f"http://127.0.0.1:{self._fast.port}/json"
        said = {"name": "bench", "url": upstream, "transport": "STREAMABLEHTTP"}
        _send(f"{base}/gateways", said, headers)
        tool = _its_tool(base, headers)
        return Target(port, ("/mcp/",), (tool,), headers, "legacy", self._process.pid, began)

    def stop(self) -> None:
        if self._process is not None:
            processes.stop(self._process)
            self._process = None

    def verify(self, sent: int) -> None:
        """What it does by default is all that is asked of it."""


def environment(home: Path, package: str) -> Path:
    """The Python of a virtual environment that has ``package``, made on first use."""
    python = home / "bin" / "python"
    ready = home / ".ready"
    if ready.exists():
        return python
    override = home / "override.txt"
    for command in (
        [sys.executable, "-m", "venv", str(home)],
        [str(python), "-m", "pip", "install", "--quiet", "uv"],
    ):
        _run(command)
    override.write_text(_CERTIFI)
    _run([str(home / "bin" / "uv"), "pip", "install", "--quiet", "--python", str(python),
          "--override", str(override), package])  # fmt: skip
    ready.touch()
    return python


def version(home: Path, package: str) -> str:
    """As installed; empty where it is not."""
    name = package.partition("=")[0]
    code = f"from importlib.metadata import version; print(version({name!r}))"
    python = home / "bin" / "python"
    if not python.exists():
        return ""
    done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Failed(f"{command[0]} failed: {done.stderr[-1_000:]}")


def _settings(place: Path) -> dict[str, str]:
    return {
        "DATABASE_URL": f"sqlite:///{place}/forge.db", "JWT_SECRET_KEY": _SECRET,
        "AUTH_ENCRYPTION_SECRET": _SECRET, "PLATFORM_ADMIN_EMAIL": "bench@example.org",
        "PLATFORM_ADMIN_PASSWORD": _SECRET, "BASIC_AUTH_PASSWORD": _SECRET,
        "MCPGATEWAY_UI_ENABLED": "false", "MCPGATEWAY_ADMIN_API_ENABLED": "true",
        "RATE_LIMITING_ENABLED": "false", "TOOL_RATE_LIMIT": "1000000", "LOG_LEVEL": "ERROR",
        "SSRF_ALLOW_LOCALHOST": "true", "SSRF_ALLOW_PRIVATE_NETWORKS": "true",
        "PLUGINS_ENABLED": "false",
    }  # fmt: skip


def _token() -> str:
    """A JSON web token of its own administrator, signed as its documentation says."""
    now = int(time.time())
    claims = {
        "username": "bench@example.org", "sub": "bench@example.org", "iat": now,
        "exp": now + 36_000, "iss": "mcpgateway", "aud": "mcpgateway-api", "jti": "bench",
        "is_admin": True, "teams": None, "token_use": "session",
        "user": {"email": "bench@example.org", "is_admin": True, "auth_provider": "local",
                 "full_name": "Bench"},
    }  # fmt: skip
    parts = [_part({"alg": "HS256", "typ": "JWT"}), _part(claims)]
    signed = hmac.digest(_SECRET.encode(), ".".join(parts).encode(), hashlib.sha256)
    return ".".join([*parts, base64.urlsafe_b64encode(signed).rstrip(b"=").decode()])


def _part(said: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(said).encode()).rstrip(b"=").decode()


def _send(url: str, said: object, headers: dict[str, str]) -> object:
    """POST, or GET where nothing is said. Raises ``Failed``."""
    body = None if said is None else json.dumps(said).encode()
    asked = urllib.request.Request(  # noqa: S310 - our own address
        url, body, {**headers, "content-type": "application/json"}
    )
    try:
        with urllib.request.urlopen(asked, timeout=60) as answer:  # noqa: S310
            return json.load(answer)
    except OSError as error:
        said_back = error.read()[:500] if isinstance(error, urllib.error.HTTPError) else b""
        raise Failed(f"{url}: {error} {said_back!r}") from error


def _its_tool(base: str, headers: dict[str, str]) -> str:
    """The name it gives to the upstream's tool."""
    found = _send(f"{base}/tools", None, headers)
    if isinstance(found, list) and found:
        return str(found[0]["name"])
    raise Failed(f"it took no tool over: {found}")
