"""The coverage-guided runner. ``python -m fuzz.guided NAME RUNS [SEED]``; needs atheris.

Half of the mutations are libFuzzer's own, half are ours, which know JSON.
"""

import sys

import atheris

with atheris.instrument_imports(include=["lockgate"]):
    from fuzz.targets import TARGETS

from fuzz.mutate import Mutator
from fuzz.watch import KEPT, SEEDS, Watch, seeds_of

_SECONDS_IN_NATIVE_CODE = 20
"""Until libFuzzer ends an input that no signal of ours reaches."""


def main(name: str, runs: int, seed: int) -> None:
    """Never returns: libFuzzer ends the process, with status 0 after ``runs`` inputs."""
    watch = Watch(name, TARGETS[name])
    pool = [path.read_bytes() for path in seeds_of(name)]

    def run(data: bytes) -> None:
        watch.run(data)
        if watch.inputs == runs:
            print(watch.report(), flush=True)

    def mutate(data: bytes, most: int, number: int) -> bytes:
        if number % 2:
            return bytes(atheris.Mutate(data, most))
        return Mutator(number, pool).mutate(data, most)

    corpus = KEPT / "corpus" / name
    corpus.mkdir(parents=True, exist_ok=True)
    (SEEDS / name).mkdir(parents=True, exist_ok=True)
    options = [
        f"-runs={runs}", f"-seed={seed}", f"-timeout={_SECONDS_IN_NATIVE_CODE}", "-max_len=1024",
        "-rss_limit_mb=2048", "-print_final_stats=1", "-verbosity=0",
        f"-artifact_prefix={KEPT}/findings/{name}-", str(corpus), str(SEEDS / name),
    ]  # fmt: skip
    (KEPT / "findings").mkdir(parents=True, exist_ok=True)
    atheris.Setup([sys.argv[0], *options], run, custom_mutator=mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 1)
