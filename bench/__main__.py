"""``python -m bench run|compare|curves|identity|budget``: see ``--help`` of each."""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from bench import budget, curves, identity, peers, processes
from bench.arm import Arm, Direct, Failed, FastUpstream
from bench.compare import differences
from bench.lockgate import Lockgate
from bench.report import aligned, comparison, ratios, table
from bench.rounds import Cell, Result, Runner
from bench.upstream import tool_name

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".bench"
BASELINE = Path(__file__).parent / "baseline.json"
FLAME = Path(__file__).parent / "flame.svg"

SMALL = (Cell("600B x1", connections=1), Cell("600B x32", connections=32))
LARGE = (
    Cell("16KB x1", size=16_384, connections=1),
    Cell("16KB x32", size=16_384, connections=32),
    Cell("1MB x4", size=1_000_000, connections=4),
)
OPEN = (
    Cell("open 100/s x32", connections=32, rate=100.0),
    Cell("open 500/s x32", connections=32, rate=500.0),
)
PEER = (Cell("600B x1", seconds=8.0), Cell("600B x32", connections=32, seconds=20.0))


@contextmanager
def upstream(core: int) -> Iterator[tuple[FastUpstream, Path]]:
    """A running one, and a folder for what is written meanwhile."""
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE, prefix="run-") as name:
        fast = FastUpstream(sys.executable, core)
        fast.start(Path(name))
        try:
            yield fast, Path(name)
        finally:
            fast.stop()


def ours(fast: FastUpstream, core: int) -> dict[Arm, Sequence[Cell]]:
    """Lockgate, and no gateway at all."""
    python = sys.executable
    return {
        Direct(fast, tool_name(0)): (*SMALL, *LARGE, *OPEN),
        Lockgate(fast, python, core, repeated=True): (*SMALL, *LARGE, *OPEN),
        Lockgate(fast, python, core, name="lockgate-undecided"): SMALL,
        Lockgate(fast, python, core, name="lockgate-two-workers", repeated=True,
                 workers=2): (*SMALL, *OPEN),
        Lockgate(fast, python, core, name="lockgate-token", repeated=True, token=True): SMALL,
        Lockgate(fast, python, core, name="lockgate-sse", repeated=True, stream=True): SMALL,
        Lockgate(fast, python, core, name="lockgate-legacy", repeated=True,
                 dialect="legacy"): SMALL,
    }  # fmt: skip


def theirs(fast: FastUpstream, core: int) -> dict[Arm, Sequence[Cell]]:
    """What pip installs."""
    return {
        peers.FastMcpProxy(fast, CACHE, core, shared=True): PEER,
        peers.FastMcpProxy(fast, CACHE, core, shared=False): PEER,
        peers.ContextForge(fast, CACHE, core): PEER,
    }


def measured(rounds: int, peer_rounds: int) -> Result:
    """Raises ``Failed``."""
    gateway_core, load_core = processes.cores()
    os.sched_setaffinity(0, {load_core})
    with upstream(load_core) as (fast, place):
        runner = Runner(place, load_core, gateway_core, lambda line: print(line, flush=True))
        mine, others = ours(fast, gateway_core), theirs(fast, gateway_core)
        runner.run(list(mine), {arm.name: cells for arm, cells in mine.items()}, rounds)
        if peer_rounds:
            runner.run(list(others), {a.name: cells for a, cells in others.items()}, peer_rounds)
        versions = {} if not peer_rounds else {
            "fastmcp": peers.version(CACHE / "fastmcp", peers.FASTMCP),
            "contextforge": peers.version(CACHE / "contextforge", peers.CONTEXTFORGE),
        }  # fmt: skip
        return runner.result(versions)


def run(said: argparse.Namespace) -> int:
    result = measured(said.rounds, said.peers)
    print(table(result), ratios(result), sep="\n\n")
    show_identity(said)
    print(f"\nfixed work of the interpreter: {result.calibration_us:,.0f} us; {result.machine}")
    if said.write:
        BASELINE.write_bytes(msgspec.json.format(msgspec.json.encode(result), indent=1) + b"\n")
    return 0


def compare(said: argparse.Namespace) -> int:
    before = msgspec.json.decode(BASELINE.read_bytes(), type=Result)
    now = measured(said.rounds, 0)
    found = differences(before, now)
    print(comparison(found))
    if before.machine != now.machine:
        print(f"another machine than the baseline's, {before.machine}: costs are only scaled")
    return 1 if any(each.is_regression for each in found) else 0


def curve(said: argparse.Namespace) -> int:
    cores = processes.cores()
    os.sched_setaffinity(0, {cores[1]})
    with upstream(cores[1]) as (fast, place):
        maker = curves.Curves(fast, place, cores)
        found = (
            maker.upstreams(said.seconds, said.rounds),
            maker.policies(said.seconds, said.rounds),
            maker.calls(said.calls),
        )
    print(aligned(curves.rows(found)))
    for each in found:
        print(f"{each.name}: the last point costs {each.growth:.2f} x the first")
    return 0


def show_budget(said: argparse.Namespace) -> int:
    cores = processes.cores()
    os.sched_setaffinity(0, {cores[1]})
    with upstream(cores[1]) as (fast, place):
        found = budget.sampled(fast, place / "gate", cores, said.size, said.seconds)
    print(budget.table(found))
    title = f"Lockgate, {said.size} B calls at 32 connections: CPU of the main thread"
    place = FLAME if said.write else CACHE / "flame.svg"
    place.write_text(budget.graph(found, title))
    print(f"\nflame graph: {place.relative_to(ROOT)}")
    return 0


def show_identity(_: argparse.Namespace) -> int:
    for name, spent in identity.costs().items():
        print(f"identity, {name}: {spent:,.1f} us of CPU")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    ways = parser.add_subparsers(required=True)
    for name, does, about in (
        ("run", run, "Lockgate, direct and its peers, in interleaved rounds."),
        ("compare", compare, "Fail where Lockgate is slower than bench/baseline.json says."),
        ("curves", curve, "Cost against upstreams, policies and journal rows."),
        ("identity", show_identity, "What step 3 costs, by what the client shows."),
        ("budget", show_budget, "What each of the fourteen steps costs; a flame graph."),
    ):
        way = ways.add_parser(name, help=about, description=about)
        way.set_defaults(does=does)
        way.add_argument("--rounds", type=int, default=5)
        way.add_argument("--peers", type=int, default=3, help="rounds of the peers; 0: none")
        way.add_argument("--seconds", type=float, default=15.0 if name == "budget" else 4.0)
        way.add_argument("--calls", type=int, default=100_000)
        way.add_argument("--size", type=int, default=600)
        way.add_argument("--write", action="store_true", help="into bench/, to be committed")
    said = parser.parse_args()
    try:
        return int(said.does(said))
    except Failed as failed:
        print(f"this run counts as failed: {failed}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
