import pytest

from lockgate.control_plane.console.pages import HEADERS
from lockgate.model import StoreDown
from lockgate.model.console import ConsoleSession
from lockgate.store.console_sessions import MemoryConsoleSessions
from support.console_desk import HOME, ORIGIN, ROLES, ConsoleDesk


class Down(MemoryConsoleSessions):
    def find(self, hashed: str) -> ConsoleSession | None:
        raise StoreDown("the disk is full of secrets")


@pytest.mark.parametrize(
    ("path", "status"),
    [("/console", 303), ("/console/", 200), ("/console/roles", 303), ("/console/recover", 200),
     ("/console/static/none.css", 404), ("/console/live", 200),
     ("/console/no", 404), ("/console/grant", 405), ("/console/callback", 400)],
)  # fmt: skip
async def test_every_answer_has_the_strict_headers(
    desk: ConsoleDesk, path: str, status: int
) -> None:
    found = await desk.browser().get(path)
    assert found.status == status
    for name, value in HEADERS.items():
        assert found.all(name) == [value]
    assert "<script" not in found.text
    assert "style=" not in found.text


async def test_a_store_that_is_down_is_said_without_its_words(desk: ConsoleDesk) -> None:
    alice = await desk.signed_in()
    broken = ConsoleDesk(Down())
    browser = broken.browser()
    browser.jar = alice.jar
    found = await browser.get(HOME)
    assert (found.status, "secrets" in found.text) == (503, False)


async def test_who_is_signed_out_is_told_so_and_nothing_is_done(desk: ConsoleDesk) -> None:
    alice = await desk.signed_in()
    page = await alice.get(ROLES)
    alice.jar = {}
    found = await alice.submit(page, "/console/request", role="reader", reason="x", minutes="5")
    assert found.status == 401
    assert desk.privileges.list() == ()


async def test_other_names_and_origins_do_not_reach_it(desk: ConsoleDesk) -> None:
    alice = await desk.signed_in()
    alice.origin = "https://evil.example"
    assert (await alice.get(HOME)).status == 421
    alice.origin = ORIGIN
    for origin in ("https://evil.example", "null", "https://console.example", ORIGIN.upper()):
        assert (await alice.get(HOME, origin=origin)).status == 403


async def test_a_form_is_small(desk: ConsoleDesk) -> None:
    found = await desk.browser().post("/console/recover", {"code": "x" * 70_000})
    assert found.status == 413
