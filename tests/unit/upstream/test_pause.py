from lockgate.upstream.pause import LONGEST_SECONDS, Pause


async def test_it_grows_to_a_limit_and_starts_anew_with_what_worked() -> None:
    pause = Pause()
    assert [pause.take() for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, LONGEST_SECONDS]
    pause.worked()
    assert pause.take() == 1


async def test_the_other_side_may_ask_for_more_but_not_for_ever() -> None:
    pause = Pause()
    assert pause.take(1_500) == 1.5
    assert pause.take(100) == 2
    assert pause.take(10**9) == LONGEST_SECONDS
