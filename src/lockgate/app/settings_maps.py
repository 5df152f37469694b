"""What parts of the gate take from the settings."""

from collections.abc import Mapping

from lockgate.app.settings import Settings
from lockgate.approval.gate import Marks
from lockgate.approval.preview import PreviewRule
from lockgate.pipeline.caller import Endpoint
from lockgate.policy.mapping import ArgumentMapping


def endpoints(upstreams: tuple[str, ...]) -> dict[str, Endpoint]:
    """``/mcp`` over all, ``/mcp/<upstream>`` for each."""
    everything = Endpoint("/mcp", tuple(sorted(upstreams)), prefixed=True)
    each = (Endpoint(f"/mcp/{name}", (name,), prefixed=False) for name in upstreams)
    return {endpoint.path: endpoint for endpoint in (everything, *each)}


def argument_mapping(settings: Settings) -> ArgumentMapping:
    return ArgumentMapping(
        {
            (upstream, tool): dict(known.arguments)
            for upstream, one in settings.upstreams.items()
            for tool, known in one.tools.items()
            if known.arguments
        }
    )


def previews(settings: Settings) -> Mapping[tuple[str, str], PreviewRule]:
    return {
        (upstream, tool): PreviewRule(known.preview.tool, known.preview.arguments)
        for upstream, one in settings.upstreams.items()
        for tool, known in one.tools.items()
        if known.preview
    }


def marks(settings: Settings) -> Marks:
    return {
        (upstream, tool): known.hold
        for upstream, one in settings.upstreams.items()
        for tool, known in one.tools.items()
        if known.hold
    }


def console_of(settings: Settings) -> str:
    """The console's origin; empty where there is none."""
    return (settings.console.origin or "") if settings.console.issuer else ""
