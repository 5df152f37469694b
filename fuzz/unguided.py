"""The runner that needs nothing: seeds and their mutations. ``python -m fuzz.unguided NAME RUNS``.

Without coverage there is no telling which mutation got further, so an input is kept for mutating
again now and then, whatever it did.
"""

import random
import sys

from fuzz.mutate import Mutator
from fuzz.targets import TARGETS
from fuzz.watch import Watch, seeds_of

_POOL = 2_000


def main(name: str, runs: int, seed: int) -> int:
    """Raises what the target raises: a finding ends the run."""
    watch = Watch(name, TARGETS[name])
    pool = [path.read_bytes() for path in seeds_of(name)] or [b""]
    first = len(pool)
    for data in pool[:]:
        watch.run(data)
    mutator = Mutator(seed, pool)
    choice = random.Random(seed)  # noqa: S311 - a repeatable walk, not a secret
    while watch.inputs < runs:
        data = mutator.mutate(choice.choice(pool))
        watch.run(data)
        if choice.random() < 0.02:
            if len(pool) < _POOL:
                pool.append(data)
            else:
                pool[choice.randrange(first, _POOL)] = data
    print(watch.report(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 1))
