import orjson

from lockgate.control_plane.console.problems import problem


def test_a_problem_says_what_it_is_and_what_can_be_done() -> None:
    found = problem(403, "This takes the role reader.", "", "Ask for it.")
    assert (found.status_code, found.media_type) == (403, "application/problem+json")
    assert orjson.loads(bytes(found.body)) == {
        "type": "about:blank", "title": "Forbidden", "status": 403,
        "detail": "This takes the role reader. Ask for it.",
    }  # fmt: skip
