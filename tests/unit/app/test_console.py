from pathlib import Path

import pytest

from lockgate.app.beside import console_of, logouts_of
from lockgate.app.console import client_of, console_for
from lockgate.app.previews import Previews
from lockgate.app.registering import resolved
from lockgate.app.settings import Settings
from lockgate.app.settings_admin import Console
from lockgate.app.stores import open_stores
from lockgate.app.wiring import Plant
from lockgate.model.reference import ReferenceBroken
from support.browser import Browser, to_application
from support.staged import stage_of

ASKED = Console(issuer="https://login.example/t1", origin="https://gate.example",
                provider_origins=("https://keys.example",))  # fmt: skip


def test_the_client_secret_is_read_from_where_it_is(tmp_path: Path) -> None:
    place = tmp_path / "secret"
    place.write_text("s3cret\n")
    asked = ASKED.model_copy(update={"client_secret": f"file:{place}"})
    made = client_of(asked, "https://login.example/t1", resolved)
    assert (made.secret, made.redirect) == ("s3cret", "https://gate.example/console/callback")
    assert client_of(ASKED, "https://login.example/t1", resolved).secret == ""
    with pytest.raises(ReferenceBroken):
        client_of(
            asked.model_copy(update={"client_secret": "env:NO_SUCH_ONE"}),
            "https://a.example",
            resolved,
        )


async def test_the_console_stands_on_the_gateways_stores(tmp_path: Path) -> None:
    def settings() -> Settings:
        return Settings(console=ASKED)

    plant = Plant(open_stores(tmp_path / "data"), settings())
    logouts = logouts_of(plant, str(ASKED.issuer))
    gateway = stage_of().gateway
    asked = Previews(dict, lambda: gateway.state, plant.tools, lambda _, __: True)
    try:
        assert console_of(plant, gateway, Settings, logouts, lambda _, __: None) is None
        found = console_of(plant, gateway, settings, logouts, lambda _, __: None)
        assert found is not None
        other = console_for(plant, settings, logouts, lambda _, __: None, asked)
        for joined in (found, other):
            browser = Browser(to_application(joined.application), "https://gate.example")
            page = await browser.get("/console/recover")
            wrong = await browser.submit(page, "/console/recover", code="guess")
            assert wrong.status == 403
        assert [r.event.reason for r in plant.stores.events.tail(9)] == ["admin.recovery"] * 2
    finally:
        await plant.close()
        plant.stores.engine.dispose()
