from lockgate.model.problem import Problem


def test_it_says_where_what_and_what_to_do() -> None:
    problem = Problem("wrong value", "l.yaml", 3, 9, "listen.port", '"x"', "a number", "Mend it.")
    assert str(problem) == (
        'l.yaml:3:9: listen.port: wrong value\n    found "x"; expected a number\n    Mend it.'
    )


def test_without_a_place_it_names_only_the_file() -> None:
    assert str(Problem("cannot be read", "l.yaml")) == "l.yaml: cannot be read"


def test_what_was_found_may_be_withheld() -> None:
    assert "found something else; expected x" in str(Problem("no", expected="x"))
    assert "    found 3" in str(Problem("no", found="3"))
