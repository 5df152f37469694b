from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from lockgate.app.secret_places import references_in
from lockgate.app.settings_anchor import anchor
from lockgate.app.settings_approvals import Approvals
from lockgate.app.settings_channels import ChannelSettings, channels_of, is_private
from lockgate.app.settings_file import SettingsInvalid, parse
from lockgate.approval.channels import Email, Slack, Webhook
from lockgate.model.reference import ReferenceBroken

HOOK = {"kind": "webhook", "url": "https://ops.example/hook", "secret": "env:HOOK"}
CHAT = {"kind": "slack", "url": "env:SLACK"}
MAIL = {"kind": "email", "host": "mail.example", "sender": "gate@clinic.example",
        "to": "dora@clinic.example"}  # fmt: skip
VALUES = {"env:HOOK": "whsec_1", "env:OLD": "whsec_2", "env:SLACK": "https://chat.example/x",
          "env:PASSWORD": "pass"}  # fmt: skip


def resolve(text: str) -> str:
    if text.startswith("env:") and text not in VALUES:
        raise ReferenceBroken(f"{text} is not set")
    return VALUES.get(text, text)


def channel(**given: Any) -> Webhook | Slack | Email:
    settings = Approvals.model_validate({"channels": {"x": given}})
    return channels_of(dict(settings.channels), resolve)["x"]


def refused_at(**given: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        ChannelSettings.model_validate(given)
    error = caught.value.errors()[0]
    return str(error.get("ctx", {}).get("at") or ".".join(map(str, error["loc"])))


def test_a_webhook() -> None:
    found = channel(**HOOK, old_secret="env:OLD", factors="owner", names=True)
    assert isinstance(found, Webhook)
    assert (found.url, found.secrets) == ("https://ops.example/hook", ("whsec_1", "whsec_2"))
    assert (found.factors, found.names, found.gap, found.broken) == (
        frozenset({"owner"}),
        True,
        0,
        "",
    )


def test_a_slack_channel() -> None:
    found = channel(**CHAT)
    assert isinstance(found, Slack)
    assert (found.url, found.gap, found.names) == ("https://chat.example/x", 15_000, False)


@pytest.mark.parametrize(("tls", "port"), [("starttls", 587), ("tls", 465)])
def test_a_mail_channel(tls: str, port: int) -> None:
    found = channel(**MAIL, tls=tls, user="gate", password="env:PASSWORD", every_seconds=5)
    assert isinstance(found, Email)
    assert (found.port, found.tls, found.password, found.gap) == (port, tls, "pass", 5_000)
    assert found.to == ("dora@clinic.example",)


def test_without_its_secret_a_channel_is_there_and_says_why() -> None:
    assert channel(**{**HOOK, "secret": "env:MISSING"}).broken == "env:MISSING is not set"
    assert channel(**MAIL, user="u", password="env:MISSING").broken == "env:MISSING is not set"


@pytest.mark.parametrize(
    "url", ["http://chat.example/x", "ftp://x", "", "https://u@h/", "http://[", "https://h/#x"]
)
def test_an_address_by_reference_is_checked_too_and_never_told(url: str) -> None:
    settings = Approvals.model_validate({"channels": {"x": CHAT}})
    found = channels_of(dict(settings.channels), lambda _: url)["x"]
    assert found.broken == "its url is not an https:// address"
    assert not is_private(url)


@pytest.mark.parametrize(
    ("given", "at"),
    [
        ({"kind": "pager"}, "kind"),
        ({**HOOK, "url": "http://ops.example/hook"}, "url"),
        ({**HOOK, "url": "https://user@ops.example/hook"}, "url"),
        ({**HOOK, "url": "https://ops.example/hook?token=abcdefgh"}, "url"),
        ({**HOOK, "secret": "whsec_plain"}, "secret"),
        ({"kind": "webhook", "url": "https://ops.example"}, "secret"),
        ({"kind": "webhook", "secret": "env:HOOK"}, "url"),
        ({**HOOK, "old_secret": "plain"}, "old_secret"),
        ({**HOOK, "to": "dora@clinic.example"}, "to"),
        ({**HOOK, "method": "GET"}, "method"),
        ({"kind": "slack", "url": "https://chat.example/x"}, "url"),
        ({**CHAT, "secret": "env:HOOK"}, "secret"),
        ({**CHAT, "every_seconds": -1}, "every_seconds"),
        ({**CHAT, "factors": ["Not A Factor"]}, "factors.0"),
        ({**MAIL, "tls": "none"}, "tls"),
        ({**MAIL, "user": "gate"}, "password"),
        ({**MAIL, "password": "plain", "user": "gate"}, "password"),
        ({**MAIL, "to": []}, "to"),
        ({**MAIL, "to": "dora@clinic.example\nBcc: x@evil.example"}, "to.0"),
        ({**MAIL, "to": "Dora <dora@clinic.example>"}, "to.0"),
        ({**MAIL, "sender": "gate"}, "sender"),
        ({**MAIL, "host": "mail.example/x"}, "host"),
        ({**MAIL, "user": "a\r\nb", "password": "env:PASSWORD"}, "user"),
    ],
)
def test_what_is_not_accepted(given: dict[str, Any], at: str) -> None:
    assert refused_at(**given) == at


def test_http_and_no_tls_only_on_this_machine() -> None:
    assert channel(**{**HOOK, "url": "http://127.0.0.1:9/hook"}).broken == ""
    assert channel(**{**MAIL, "host": "localhost"}, tls="none").port == 25  # type: ignore[union-attr]


def test_its_secrets_are_known_and_its_paths_are_the_files() -> None:
    settings = parse(
        "approvals: {channels: {ops: {kind: webhook, url: 'file:u', secret: 'file:s', "
        "ca_file: ca.pem}}}"
    )
    found = anchor(settings, Path("/etc/lockgate"))
    assert {str(one) for one in references_in(found)} == {
        "file:/etc/lockgate/u",
        "file:/etc/lockgate/s",
    }
    assert found.approvals.channels["ops"].ca_file == "/etc/lockgate/ca.pem"


def test_a_secret_that_was_written_down_is_not_repeated() -> None:
    with pytest.raises(SettingsInvalid) as caught:
        parse("approvals: {channels: {ops: {kind: webhook, url: 'https://o.example', "
              "secret: whsec_written}}}")  # fmt: skip
    assert "whsec_written" not in "".join(map(str, caught.value.problems))
