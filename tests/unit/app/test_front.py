import ssl
import time
from pathlib import Path
from typing import Any

import pytest

from lockgate.app.front import Front, front_of
from lockgate.app.settings import Settings
from lockgate.identity.proxies import Sender
from lockgate.identity.workload import Shown
from lockgate.model.reference import ReferenceBroken
from lockgate.wire.headers import Headers
from support.certificates import DOMAIN, Authority

CA = Authority()
NOW = time.time_ns() // 1_000_000


def front(folder: Path, **tls: Any) -> Front:
    CA.issue("gate", dns=("localhost",)).write(folder, "gate")
    CA.write(folder / "ca.pem")
    files = {"certificate": "gate.pem", "key": "gate.key", "client_ca": "ca.pem"}
    said: dict[str, Any] = {name: str(folder / file) for name, file in files.items()} | tls
    edge = {"edge": {"spiffe": f"{DOMAIN}/edge", "form": "xfcc"}}
    workloads = {"desk": {"spiffe": f"{DOMAIN}/desk"}}
    known: dict[str, Any] = {"proxies": edge} if said["client_ca"] else {}
    given: dict[str, Any] = {"listen": {"tls": said, **known}}
    return front_of(Settings.model_validate(given | ({"workloads": workloads} if known else {})))


def test_without_tls_nobody_is_asked_for_anything() -> None:
    made = front_of(Settings())
    assert made.tls is None
    assert made.workloads.shown(b"", NOW) is None


def test_a_context_asks_for_certificates_where_there_are_authorities(tmp_path: Path) -> None:
    made = front(tmp_path, client_ca=None).tls
    assert made is not None
    assert made.verify_mode == ssl.CERT_NONE
    assert made.minimum_version == ssl.TLSVersion.TLSv1_2
    asking, strict = front(tmp_path).tls, front(tmp_path, client_certificate="required").tls
    assert asking is not None
    assert strict is not None
    assert (asking.verify_mode, strict.verify_mode) == (ssl.CERT_OPTIONAL, ssl.CERT_REQUIRED)


def test_whom_the_settings_name_is_known(tmp_path: Path) -> None:
    made = front(tmp_path)
    desk, edge = CA.workload("desk"), CA.workload("edge")
    shown = made.workloads.shown(desk.der, NOW)
    assert isinstance(shown, Shown)
    assert shown.workload.name == "desk"
    behind = made.proxies.sender(edge.der, "192.0.2.1", Headers(()), NOW)
    assert behind == Sender(b"", "192.0.2.1")


def test_revocation_lists_are_looked_into(tmp_path: Path) -> None:
    desk = CA.workload("desk")
    (tmp_path / "crl.pem").write_text(CA.revoke(desk))
    made = front(tmp_path, client_crl=str(tmp_path / "crl.pem"))
    assert not isinstance(made.workloads.shown(desk.der, NOW), Shown)


@pytest.mark.parametrize("name", ["certificate", "key", "client_ca"])
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / "odd.pem").write_text("odd")
    for file in ("absent.pem", "odd.pem"):
        with pytest.raises(ReferenceBroken, match=rf"listen\.tls\.{name}"):
            front(tmp_path, **{name: str(tmp_path / file)})
