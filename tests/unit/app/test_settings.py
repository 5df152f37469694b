from typing import Any, get_args, get_origin

import pytest
from pydantic import BaseModel, ValidationError

from lockgate.app.settings import Listen, PreviewSettings, Settings, UpstreamSettings
from lockgate.app.settings_admin import Admin, Console
from lockgate.app.settings_kinds import is_loopback
from lockgate.app.settings_limits import Limits
from lockgate.app.settings_tls import TlsSettings, WorkloadSettings

EVERYWHERE = "0.0.0.0"  # noqa: S104 (the address that must be refused)


def leaves(model: type[BaseModel]) -> int:
    """Settings with a fixed name; entries of the catalogue (upstreams) are not counted."""
    count = 0
    for field in model.model_fields.values():
        parts = (field.annotation, *get_args(field.annotation))
        nested = [p for p in parts if isinstance(p, type) and issubclass(p, BaseModel)]
        of_catalogue = get_origin(field.annotation) is dict
        count += leaves(nested[0]) if nested and not of_catalogue else 1
    return count


def refusal(model: type[BaseModel], **given: Any) -> dict[str, Any]:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(given)
    return dict(caught.value.errors()[0])


def test_there_are_few_settings_and_all_have_a_default() -> None:
    assert leaves(Settings) <= 60  # entries of catalogues are not static
    assert Settings() == Settings.model_validate({})


def test_every_setting_is_described() -> None:
    for model in (
        Settings,
        Listen,
        Limits,
        Admin,
        Console,
        UpstreamSettings,
        TlsSettings,
        WorkloadSettings,
    ):
        for name, field in model.model_fields.items():
            if not (isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)):
                assert field.description, f"{model.__name__}.{name}"


def test_defaults_are_safe() -> None:
    made = Settings()
    assert is_loopback(made.listen.host)
    assert made.listen.origins == ()
    assert made.upstreams == {}
    assert UpstreamSettings(command="x").trust == "untrusted"
    assert UpstreamSettings(command="x").sharing == "principal"


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        Settings().data_dir = "x"


def test_a_public_address_needs_tls_in_front_and_names() -> None:
    assert "TLS" in refusal(Listen, host=EVERYWHERE)["ctx"]["expected"]
    half = refusal(Listen, host=EVERYWHERE, behind_tls_proxy=True)
    assert "listen.hosts" in half["ctx"]["expected"]
    Listen(host=EVERYWHERE, behind_tls_proxy=True, hosts=("gate.example",))
    own = {"certificate": "c.pem", "key": "k.pem"}
    assert "listen.hosts" in refusal(Listen, host=EVERYWHERE, tls=own)["ctx"]["expected"]
    Listen.model_validate({"host": EVERYWHERE, "tls": own, "hosts": ("gate.example",)})


def test_an_upstream_is_reached_in_one_way() -> None:
    assert "either" in refusal(UpstreamSettings)["ctx"]["expected"]
    assert (
        "either"
        in refusal(UpstreamSettings, url="https://a.example", command="x")["ctx"]["expected"]
    )
    assert refusal(UpstreamSettings, url="https://a.example", args=("x",))["ctx"]["at"] == "args"
    assert refusal(UpstreamSettings, command="x", headers={"A": "b"})["ctx"]["at"] == "headers"
    assert UpstreamSettings(command="git", args=("a", "b")).argv == ("git", "a", "b")
    assert UpstreamSettings(url="https://a.example/mcp").argv == ()


@pytest.mark.parametrize(
    "url",
    ["ftp://a.example", "a.example/mcp", "https://", "https://a.example:x/", "https://u:pw@a.example/",
     "https://a.example/mcp?api_key=abcdef", "http://a.example/mcp", "env:9"],
)  # fmt: skip
def test_urls_that_are_refused(url: str) -> None:
    assert refusal(UpstreamSettings, url=url)["type"] == "lockgate"


def test_urls_that_are_taken() -> None:
    for url in ("https://a.example/mcp", "http://127.0.0.1:9/mcp", "env:URL", "file:/run/url"):
        assert UpstreamSettings(url=url).url == url
    assert UpstreamSettings(url="http://a.example/mcp", insecure_http=True).insecure_http


def test_secrets_are_refused_and_the_refusal_does_not_repeat_them() -> None:
    for given in (
        {"command": "x", "env": {"API_TOKEN": "hunter2hunter2"}},
        {"url": "https://a.example", "headers": {"Authorization": "Bearer hunter2hunter2"}},
        {"url": "https://a.example", "headers": {"X-Thing": "Bearer hunter2hunter2"}},
    ):
        found = refusal(UpstreamSettings, **given)
        assert "file:/path" in found["ctx"]["remedy"]
        assert "hunter2" not in found["msg"] + str(found["ctx"])


def test_references_and_public_values_are_taken() -> None:
    made = UpstreamSettings(command="x", env={
        "API_TOKEN": "env:API_TOKEN", "B_KEY": "file:/run/b", "LANG": "C", "KEYBOARD": "text:de",
    })  # fmt: skip
    assert made.env["LANG"] == "C"
    assert refusal(UpstreamSettings, command="x", env={"A": "text:ghp_0123456789abcdefghijklmn"})


@pytest.mark.parametrize("name", ["A=B", "", "1A", "A B"])
def test_environment_names_are_names(name: str) -> None:
    refusal(UpstreamSettings, command="x", env={name: "v"})


@pytest.mark.parametrize("name", ["Host", "content-length", "Mcp-Session-Id", "A B", "A:"])
def test_headers_of_the_protocol_are_ours(name: str) -> None:
    refusal(UpstreamSettings, url="https://a.example", headers={name: "v"})


def test_a_header_stays_on_one_line() -> None:
    refusal(UpstreamSettings, url="https://a.example", headers={"X-A": "a\r\nX-B: b"})


@pytest.mark.parametrize("name", ["Git", "-git", "g" * 33, "git_hub", ""])
def test_upstream_names(name: str) -> None:
    refusal(Settings, upstreams={name: {"command": "x"}})


def test_a_database_is_named_without_its_secret() -> None:
    for name in ("", "env:DATABASE_URL", "file:db.url", "postgresql://gate@db.example/lockgate"):
        assert Settings(database=name).database == name
    for name in ("postgresql://gate:pa55word@db.example/x", "mysql://db/x", "db.example", "env:9"):
        found = refusal(Settings, database=name)
        assert found["type"] == "lockgate"
        assert "pa55word" not in str(found["ctx"])


def test_a_preview_that_would_run_the_statement() -> None:
    said = refusal(PreviewSettings, tool="query", arguments={"sql": "EXPLAIN ANALYZE {/sql}"})
    assert said["msg"] == "EXPLAIN without ANALYZE"
    fine = {"sql": "EXPLAIN {/sql}"}
    assert PreviewSettings(tool="query", arguments=fine).arguments == fine
