"""Every seed of ``fuzz/seeds/`` through its target: what fuzzing once found stays mended."""

from pathlib import Path

import pytest

from fuzz.targets import TARGETS
from fuzz.watch import SEEDS, Watch, seeds_of

_FOLDERS = sorted(path.name for path in SEEDS.iterdir())


def test_every_target_has_seeds_and_every_seed_a_target() -> None:
    assert sorted(TARGETS) == _FOLDERS
    assert all(seeds_of(name) for name in TARGETS)


@pytest.mark.parametrize("name", _FOLDERS)
def test_seeds(name: str) -> None:
    watch = Watch(name, TARGETS[name])
    for path in seeds_of(name):
        watch.run(_read(path))
    assert watch.inputs == len(seeds_of(name))


def _read(path: Path) -> bytes:
    return path.read_bytes()
