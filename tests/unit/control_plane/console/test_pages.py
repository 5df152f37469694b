import pytest
from jinja2 import UndefinedError
from starlette.responses import Response

from lockgate.control_plane.console.pages import (
    SESSION,
    VISIT,
    drop_cookie,
    go,
    page,
    put_cookie,
    style,
    told,
)


def test_what_is_told_is_only_text() -> None:
    found = told("A <b>", "x <script>", "", status=403)
    assert found.status_code == 403
    assert b"<script>" not in bytes(found.body)
    assert b"A &lt;b&gt;" in bytes(found.body)


def test_a_value_that_is_missing_is_a_defect_not_a_gap() -> None:
    with pytest.raises(UndefinedError):
        page("home.html", title="x")


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


def test_the_style_is_our_own() -> None:
    assert style().headers["content-type"].startswith("text/css")
    assert b"url(" not in bytes(style().body)
