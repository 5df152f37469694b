"""Figures as a table for people."""

from collections.abc import Iterable, Sequence

from bench.compare import Difference
from bench.rounds import FIRST, Result

_PEERS = ("fastmcp-shared", "fastmcp-documented", "contextforge")


def table(result: Result) -> str:
    head = ("arm", "load", "calls/s", "CPU us", "p50 ms", "p99 ms", "MiB", "spread of CPU")
    rows = [head]
    for arm, cells in result.figures.items():
        for cell, found in cells.items():
            if "rate" not in found:
                continue
            cpu = found["cpu_us"]
            rows.append((
                arm, cell, f"{found['rate'].median:,.0f}", f"{cpu.median:,.0f}",
                f"{found['p50_ms'].median:.2f}", f"{found['p99_ms'].median:.2f}",
                f"{found['resident_mib'].median:.0f}", f"± {100 * cpu.spread:.0f} %",
            ))  # fmt: skip
    return aligned(rows)


def ratios(result: Result, arm: str = "lockgate") -> str:
    """Against the peers and against nothing at all."""
    lines = []
    for peer in _PEERS:
        ours, theirs = (result.median(who, "600B x32", "cpu_us") for who in (arm, peer))
        fast, slow = (result.median(who, "600B x32", "rate") for who in (arm, peer))
        if ours and theirs and fast and slow:
            lines.append(
                f"{arm} beside {peer}, 600 B at 32 connections: "
                f"{fast / slow:.1f} x the calls, 1/{theirs / ours:.1f} of the CPU"
            )
    ours, bare = (result.median(who, "600B x1", "p50_ms") for who in (arm, "direct"))
    if ours is not None and bare is not None:
        lines.append(f"added p50 at 1 connection: {ours - bare:.2f} ms")
    for who, cells in result.figures.items():
        first = cells.get("start", {}).get(FIRST)
        if first is not None and who != "direct":
            lines.append(f"{who}: first answer {first.median:.2f} s after its start")
    return "\n".join(lines)


def comparison(found: Sequence[Difference]) -> str:
    rows = [("arm", "load", "figure", "before", "now", "worse by", "allowed", "")]
    rows += [
        (d.arm, d.cell, d.figure, f"{d.before:,.2f}", f"{d.now:,.2f}", f"{100 * d.worse:+.0f} %",
         f"{100 * d.allowed:.0f} %", "REGRESSION" if d.is_regression else "ok")
        for d in found
    ]  # fmt: skip
    return aligned(rows)


def aligned(rows: Iterable[Sequence[str]]) -> str:
    """Columns side by side: text to the left, figures to the right."""
    listed = [tuple(map(str, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*listed, strict=True)]
    lines = []
    for row in listed:
        cells = [
            text.ljust(width) if at < 2 else text.rjust(width)
            for at, (text, width) in enumerate(zip(row, widths, strict=True))
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
