import pytest
from jinja2 import UndefinedError
from starlette.responses import Response

from lockgate.control_plane.console.pages import (
    SESSION,
    VISIT,
    ago,
    drop_cookie,
    duration,
    go,
    page,
    put_cookie,
    told,
    when,
)


def test_what_is_told_is_only_text() -> None:
    found = told("A <b>", "x <script>", "", status=403)
    assert found.status_code == 403
    assert b"<script>" not in bytes(found.body)
    assert b"A &lt;b&gt;" in bytes(found.body)


def test_a_value_that_is_missing_is_a_defect_not_a_gap() -> None:
    with pytest.raises(UndefinedError):
        page("roles.html", title="x")


@pytest.mark.parametrize("name", [SESSION, VISIT])
def test_cookies_are_for_this_host_only_and_never_for_scripts(name: str) -> None:
    kept, dropped = Response(), Response()
    put_cookie(kept, name, "value")
    drop_cookie(dropped, name)
    for response in (kept, dropped):
        line = response.headers["set-cookie"].lower()
        assert line.startswith("__host-")
        for part in ("path=/", "secure", "httponly", "samesite=lax"):
            assert part in line.replace(" ", "").split(";")
        assert "domain" not in line


def test_after_a_form_the_next_request_is_a_get() -> None:
    assert (go().status_code, go().headers["location"]) == (303, "/console/")


def test_times_are_told_in_their_largest_unit() -> None:
    now = 1_800_000_000_000
    told = [ago(now - 1000 * s, now) for s in (0, 1, 59, 60, 3_599, 7_200, 86_400, 172_800)]
    assert told == ["just now", "1 s ago", "59 s ago", "1 min ago", "59 min ago", "2 h ago",
                    "1 day ago", "2 days ago"]  # fmt: skip
    assert (ago(now + 90_000, now), ago(now + 10, now)) == ("in 1 min", "in a moment")
    assert when(now) == "2027-01-15 08:00:00 UTC"
    assert (duration(9_999), duration(12_345)) == ("9999 ms", "12.3 s")
