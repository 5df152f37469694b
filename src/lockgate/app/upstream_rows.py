"""What this worker knows of its upstreams, for the console."""

import hashlib
from collections.abc import Callable

import msgspec
import orjson

from lockgate.app.settings import Settings, UpstreamSettings
from lockgate.app.settings_maps import marks
from lockgate.app.wiring import Plant
from lockgate.approval.gate import Marks
from lockgate.control_plane.services.upstream_rows import State, ToolRow, UpstreamRow
from lockgate.model import Tool
from lockgate.upstream.pool import Description
from lockgate.upstream.target import Registered, WithheldTarget

_SAYS = 300
"""Characters of a description."""


class UpstreamRows:
    """``settings``: those in force when asked. All of it is in memory: ask in the loop."""

    def __init__(self, plant: Plant, settings: Callable[[], Settings]) -> None:
        self._plant = plant
        self._settings = settings

    def __call__(self) -> tuple[UpstreamRow, ...]:
        settings = self._settings()
        held = marks(settings)
        links: dict[str, list[Description]] = {}
        for one in self._plant.pool.descriptions():
            links.setdefault(one.upstream, []).append(one)
        return tuple(
            self._row(one, settings, held, links.get(one.name, []))
            for one in self._plant.registry.all()
        )

    def version(self) -> int:
        """Another number where anything is shown otherwise."""
        told = hashlib.sha256(msgspec.json.encode(self()))
        return int.from_bytes(told.digest()[:7])

    def _row(
        self, one: Registered, settings: Settings, held: Marks, links: list[Description]
    ) -> UpstreamRow:
        asked = settings.upstreams.get(one.name)
        state, reason = _state(one, links)
        return UpstreamRow(
            name=one.name,
            kind="stdio" if asked and asked.command else "http",
            endpoint=f"/mcp/{one.name}",
            trust=one.upstream.trust,
            region=one.upstream.region,
            data_classes=tuple(sorted(one.upstream.data_classes)),
            sharing=one.upstream.sharing,
            credential=_mode(asked),
            state=state,
            reason=reason,
            links=sum(link.state == "open" for link in links),
            running=sum(link.running for link in links),
            eras=tuple(sorted({link.era for link in links if link.era})),
            tools=tuple(_tool(tool, held) for tool in self._plant.tools.listed(one.name)),
        )


def _mode(asked: UpstreamSettings | None) -> str:
    if asked is None or asked.credential is None:
        return "static" if asked and (asked.headers or asked.env) else "none"
    return asked.credential.mode


def _state(one: Registered, links: list[Description]) -> tuple[State, str]:
    if isinstance(one.target, WithheldTarget):
        return "withheld", "upstream.secret"
    failing = next((link.reason for link in links if link.reason), "")
    if failing:
        return "failing", failing
    return ("open" if any(link.state == "open" for link in links) else "idle"), ""


def _tool(tool: Tool, held: Marks) -> ToolRow:
    said = orjson.loads(tool.raw)
    says = said.get("description", "") if isinstance(said, dict) else ""
    text = " ".join(says.split()) if isinstance(says, str) else ""
    short = text if len(text) <= _SAYS else f"{text[:_SAYS]} …"
    return ToolRow(tool.name, short, tool.hash, held.get((tool.upstream, tool.name), ""))
