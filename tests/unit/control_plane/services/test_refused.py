from lockgate.control_plane.services.refused import Misconfigured, Refused
from lockgate.model.problem import Problem


def test_they_carry_what_is_said() -> None:
    assert (Refused("no", "do").why, Refused("no", "do").remedy) == ("no", "do")
    problem = Problem("wrong", "f", 1, 2)
    assert Misconfigured([problem]).problems == (problem,)
    assert "f:1:2" in str(Misconfigured([problem]))
