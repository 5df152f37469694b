from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from lockgate.app.settings import Listen, Settings
from lockgate.app.settings_tls import ProxySettings, TlsSettings, WorkloadSettings
from lockgate.identity.certificate import Named

TLS = {"certificate": "c.pem", "key": "k.pem"}
WITH_CA = {**TLS, "client_ca": "ca.pem"}
DESK = "spiffe://clinic.example/desk"


def expected(model: type[BaseModel], **given: Any) -> str:
    """What would have been right, in the words of the refusal."""
    with pytest.raises(ValidationError) as caught:
        model.model_validate(given)
    return str(caught.value.errors()[0]["ctx"]["expected"])


def test_tls_needs_authorities_to_ask_for_certificates() -> None:
    assert TlsSettings(**TLS).client_certificate == "optional"  # type: ignore[arg-type]
    assert "client_ca" in expected(TlsSettings, **TLS, client_certificate="required")
    assert "client_ca" in expected(TlsSettings, **TLS, client_crl="crl.pem")
    made = TlsSettings.model_validate({**WITH_CA, "client_crl": "crl.pem"})
    assert made.files == {**WITH_CA, "client_crl": "crl.pem"}


def test_a_program_is_known_by_one_name() -> None:
    assert WorkloadSettings(spiffe=DESK).named == Named("spiffe", DESK)
    assert WorkloadSettings(dns="Desk.Example").named == Named("dns", "desk.example")
    assert ProxySettings(subject="CN=x", form="nginx").named == Named("subject", "CN=x")
    assert "one of" in expected(WorkloadSettings)
    assert "one of" in expected(WorkloadSettings, spiffe=DESK, dns="desk.example")
    assert "SPIFFE" in expected(WorkloadSettings, spiffe="https://clinic.example/desk")


def test_a_service_has_an_owner_and_an_agent_has_no_roles() -> None:
    assert "owner" in expected(WorkloadSettings, spiffe=DESK, kind="service")
    assert "roles" in expected(WorkloadSettings, spiffe=DESK, roles=frozenset({"doctor"}))
    WorkloadSettings(spiffe=DESK, kind="service", owner="bob", roles=frozenset({"reader"}))


def test_nobody_is_known_by_a_certificate_that_is_not_asked_for() -> None:
    desk = {"desk": {"spiffe": DESK}}
    edge = {"edge": {"spiffe": DESK, "form": "xfcc"}}
    for listen in ({}, {"tls": TLS}):
        assert "client_ca" in expected(Settings, listen=listen, workloads=desk)
        assert "client_ca" in expected(Listen, **listen, proxies=edge)
    Settings.model_validate({"listen": {"tls": WITH_CA, "proxies": edge}, "workloads": desk})


def test_two_are_not_known_by_one_name() -> None:
    twice = {"a": {"spiffe": DESK}, "b": {"spiffe": DESK}}
    assert "once" in expected(Settings, listen={"tls": WITH_CA}, workloads=twice)
    forms = {name: {**one, "form": "xfcc"} for name, one in twice.items()}
    assert "once" in expected(Listen, tls=WITH_CA, proxies=forms)
