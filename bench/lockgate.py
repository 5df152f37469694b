"""Lockgate as shipped: a real ``lockgate serve``, a real configuration, every control on."""

import json
import secrets
import sqlite3
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import orjson

from bench import processes
from bench.arm import Failed, FastUpstream, Target, free_port
from bench.identity import key_pair, token_of
from bench.messages import Dialect
from bench.upstream import tool_name
from lockgate.app.stores import open_stores
from lockgate.control_plane.services.acting import Acting, Actor
from lockgate.control_plane.services.keys import KeyOrder, Keys
from lockgate.pipeline.order import order
from lockgate.policy.bundle import PolicyBundle
from lockgate.policy.mapping import ArgumentMapping

CONTROLS = {c.id for c in order(PolicyBundle.compile({}, ArgumentMapping({})), {}).on_call}

START_SECONDS = 30.0

_LIMITS = {"calls_per_minute": 1_000_000, "burst": 1_000_000, "concurrent_calls": 1_000}
_ISSUER = "https://issuer.example"
_ARGUMENTS = {"region": "string", "days": "long", "amount": "long"}
"""What policy reads. ``amount`` is another in each call, so that no decision is known before."""


class Lockgate:
    """``token``: the client shows an access token, no key. ``stream``: the upstream answers with an
    event stream. ``repeated``: policy reads nothing that is new in each call, so that its decisions
    are known. ``wrapped``: another program to run it under, before ``serve``."""

    def __init__(
        self,
        fast: FastUpstream,
        python: str,
        core: int,
        *,
        name: str = "lockgate",
        dialect: Dialect = "modern",
        stream: bool = False,
        upstreams: int = 1,
        policies: int = 20,
        repeated: bool = False,
        token: bool = False,
        workers: int = 1,
        wrapped: Sequence[str] = ("-m", "lockgate.app.main"),
    ) -> None:
        self.name = name
        self._fast = fast
        self._python = python
        self._core = core
        self._dialect = dialect
        self._way = "sse" if stream else "json"
        self._upstreams = upstreams
        self._policies = policies
        self._read = {k: v for k, v in _ARGUMENTS.items() if not repeated or k != "amount"}
        self._wrapped = wrapped
        self._token = token
        self._workers = workers
        self._process: subprocess.Popen[bytes] | None = None
        self._data = Path()

    def start(self, place: Path) -> Target:
        self._data = place / "data"
        port = free_port()
        key = self._prepare(place, port)
        command = [self._python, *self._wrapped, "-c", str(place / "lockgate.yaml"), "serve"]
        began = time.perf_counter()
        self._process = processes.start(command, self._core, place / "lockgate.log")
        if self._workers > 1:
            self._wait_for_all(place / "lockgate.log")
        names = [f"up-{number}" for number in range(self._upstreams)]
        return Target(
            port,
            tuple(f"/mcp/{name}" for name in names),
            tuple(tool_name(0) for _ in names),
            {"authorization": f"Bearer {key}"},
            self._dialect,
            self._process.pid,
            began,
        )

    def _wait_for_all(self, log: Path) -> None:
        """The first worker answers while the others still start, which would be measured too."""
        until = time.monotonic() + START_SECONDS
        while "Lockgate is open" not in log.read_text():
            if time.monotonic() >= until:
                raise Failed(f"not all workers started: {log.read_text()[-500:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        if self._process is not None:
            processes.stop(self._process)
            self._process = None

    def verify(self, sent: int) -> None:
        """Every call has its intent, judged by every control, and its outcome."""
        with closing(sqlite3.connect(self._data / "lockgate.db")) as db:
            intents, outcomes = (_calls(db, kind) for kind in ("call.intent", "call.outcome"))
            judged = sum(_judged(header) for header in _headers(db))
            kept = db.execute("SELECT count(*) FROM slot WHERE slot = 'args'").fetchone()[0]
        if not intents == outcomes == judged == sent or kept < sent:
            raise Failed(
                f"{sent} calls, but {intents} intents ({judged} judged by every control, "
                f"{kept} with arguments) and {outcomes} outcomes in the journal"
            )

    def _prepare(self, place: Path, port: int) -> str:
        """Configuration, policies and a credential."""
        policies = place / "policies"
        policies.mkdir(parents=True)
        (policies / "bench.cedar").write_text(policy_text(self._policies))
        one = {
            "sharing": "shared", "trust": "internal", "region": "eu", "data_classes": ["internal"],
            "tools": {tool_name(0): {"arguments": self._read}},
        }  # fmt: skip
        upstreams = {
            f"up-{n}": {**one, "url": f"http://127.0.0.1:{self._fast.port}/{self._way}/{n}"}
            for n in range(self._upstreams)
        }
        listen = {"port": port, "workers": self._workers}
        settings = {"listen": listen, "limits": _LIMITS, "upstreams": upstreams}
        if self._token:
            settings["issuers"] = {"bench": {"url": _ISSUER, "keys_file": "keys.json"}}
        (place / "lockgate.yaml").write_text(json.dumps(settings))
        if self._token:
            resource = f"http://127.0.0.1:{port}/mcp"
            return token_of(key_pair(place / "keys.json"), _ISSUER, resource)
        return _key(self._data)


def policy_text(count: int) -> str:
    """A permit, forbids about the call's arguments, and rules for tools that are not called, as a
    company's policies mostly are: ``count`` in all."""
    rules = [
        '@id("analysts")\npermit (principal in Role::"analyst", action == Action::"tools/call", '
        'resource) when { resource.trust == "internal" };',
        '@id("lists")\npermit (principal, action in Action::"list", resource);',
        '@id("region")\nforbid (principal, action == Action::"tools/call", resource) when '
        '{ context.arguments has region && context.arguments.region == "nowhere" };',
        '@id("days")\nforbid (principal, action == Action::"tools/call", resource) when '
        "{ context.arguments has days && context.arguments.days > 31 };",
        '@id("amount")\nforbid (principal, action == Action::"tools/call", resource) when '
        "{ context.arguments has amount && context.arguments.amount > 1000000000 };",
        '@id("agents")\nforbid (principal is Person, action == Action::"tools/call", resource) '
        'unless { principal.agent != "rogue" };',
    ]
    rules += [_other(number) for number in range(count - len(rules))]
    return "\n".join(rules[:count]) + "\n"


def _other(number: int) -> str:
    tool, role = f'Tool::"crm/tool_{number}"', f'Role::"team-{number % 7}"'
    condition = f'{{ resource.data_classes.contains("class-{number}") }}'
    return (
        f'@id("rule-{number}")\n'
        f'permit (principal in {role}, action == Action::"tools/call", resource == {tool}) '
        f"unless {condition};"
    )


def _key(data: Path) -> str:
    stores = open_stores(data)
    try:
        acting = Acting(
            Actor("bench"), stores.events, lambda: time.time_ns() // 1_000_000, secrets.token_bytes
        )
        service = Keys(stores.keys, acting, stores.secrets.pepper())
        return service.create(KeyOrder("personal", "alice", 9, roles=("analyst",))).text
    finally:
        stores.engine.dispose()


def _judged(header: bytes) -> bool:
    """Every control that is shipped has said its word about the call."""
    return {said["control"] for said in orjson.loads(header)["verdicts"]} >= CONTROLS


def _headers(db: sqlite3.Connection) -> Iterator[bytes]:
    found = db.execute(
        "SELECT header FROM event"
        " WHERE kind = 'call.intent' AND method = 'tools/call' AND effect = 'permit'"
    )
    return (header for (header,) in found)


def _calls(db: sqlite3.Connection, kind: str) -> int:
    """Different calls of tools with such an event."""
    found = db.execute(
        "SELECT count(DISTINCT call) FROM event WHERE kind = ? AND method = 'tools/call'", (kind,)
    ).fetchone()
    return int(found[0])
