"""Who waits is woken by what changed, and by nothing else."""

from lockgate.app.vigil import Vigil


def test_it_is_woken_by_its_own_question() -> None:
    vigil = Vigil()
    vigil.tell({"a": 1, "b": 1})
    with vigil.watch("a") as watch:
        vigil.tell({"a": 1, "b": 2, "c": 1})
        assert not watch.woken.is_set()
        vigil.tell({"a": 2, "b": 2})
        assert watch.woken.is_set()
    assert vigil.waiting == 0


def test_what_is_new_since_the_last_reading_wakes_once() -> None:
    vigil = Vigil()
    vigil.tell({})
    with vigil.watch("a") as watch:
        vigil.tell({"a": 1})
        assert watch.woken.is_set(), "it may have been looked at before it was there"
        watch.woken.clear()
        vigil.tell({"a": 1, "b": 1})
        assert not watch.woken.is_set()


def test_what_runs_or_is_over_wakes_every_time() -> None:
    vigil = Vigil()
    vigil.tell({"a": 1})
    with vigil.watch("a") as watch:
        for _ in range(2):
            watch.woken.clear()
            vigil.tell({"b": 1})
            assert watch.woken.is_set()


def test_at_the_end_all_are_woken() -> None:
    vigil = Vigil()
    with vigil.watch("a") as one, vigil.watch("b") as other:
        vigil.stop()
        assert one.woken.is_set()
        assert other.woken.is_set()
    assert vigil.over
