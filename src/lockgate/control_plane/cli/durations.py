"""Times as people type them: 24h, 90d, 12w, 1y."""

import re

import typer

HOUR_MS = 3_600_000
_SHORT = {"m": 60_000, "h": HOUR_MS}
_HOURS = {"h": 1, "d": 24, "w": 7 * 24, "y": 365 * 24}


def duration_ms(text: str, option: str, units: str = "hdwy") -> int:
    """Raises ``typer.BadParameter``, which names ``option``."""
    found = re.fullmatch(rf"([0-9]{{1,4}})([{units}])", text)
    if found is None:
        some = ", ".join(word for word in ("24h", "90d", "12w", "1y") if word[-1] in units)
        raise typer.BadParameter(f"write for instance {some}", param_hint=option)
    return int(found[1]) * _HOURS[found[2]] * HOUR_MS


def span_ms(text: str, option: str) -> int:
    """Minutes or hours. Raises ``typer.BadParameter``, which names ``option``."""
    found = re.fullmatch(r"([0-9]{1,4})([mh])", text)
    if found is None:
        raise typer.BadParameter("write for instance 30m or 2h", param_hint=option)
    return int(found[1]) * _SHORT[found[2]]
