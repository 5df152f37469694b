"""``python -m checks [TITLE...]``: runs the ratchets, all or these, over the working directory."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

from checks import habits, names, origins, pins, reason_codes, requirements, rooms, sizes
from checks.tree import Problem, Tree

CHECKS: dict[str, Callable[[Tree], Iterator[Problem]]] = {
    "files and functions are short": sizes.find,
    "only named places catch everything": habits.find_broad_excepts,
    "imports stand at the top": habits.find_late_imports,
    "nothing is mocked": habits.find_mocks,
    "tests do not sleep": habits.find_sleeps,
    "nobody reads the clock": habits.find_clock_reads,
    "module names say something": names.find_empty_names,
    "every module has its test": names.find_missing_tests,
    "reasons are listed and used": reason_codes.find,
    "the room table is true": rooms.find,
    "nothing tells where it was written": origins.find,
    "packages are pinned": pins.find,
    "requirements and tests agree": requirements.find,
}


def main(titles: list[str]) -> int:
    """Prints what is wrong. The exit status is 0 if nothing is."""
    chosen = {title: CHECKS[title] for title in titles or CHECKS}
    tree = Tree(Path.cwd())
    failed = 0
    for title, find in chosen.items():
        problems = list(find(tree))
        if problems:
            failed += 1
            print(f"NOT TRUE: {title}")
            print("".join(f"  {problem}\n" for problem in problems), end="")
    print(f"{len(chosen) - failed} of {len(chosen)} ratchets hold")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
