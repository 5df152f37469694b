import ssl
from pathlib import Path

import pytest

from lockgate.app.demo.certificates import HOST, Certificates, make_certificates
from lockgate.app.front import front_of
from lockgate.app.settings_file import parse
from lockgate.app.stamps import now_ms
from lockgate.identity.certificate import Certificate
from lockgate.identity.trust import Trust

DESK = "spiffe://clinic.example/desk"


def _shake(gate: ssl.SSLContext, client: ssl.SSLContext, host: str) -> bytes | None:
    """A handshake in memory; what the client showed (DER)."""
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(back, there, server_hostname=host)
    theirs = gate.wrap_bio(there, back, server_side=True)
    for one in (ours, theirs, ours, theirs):
        try:
            one.do_handshake()
        except ssl.SSLWantReadError:
            continue
    return theirs.getpeercert(binary_form=True)


def _gate(made: Certificates) -> ssl.SSLContext:
    """As a gateway with these files would have it."""
    tls = {"certificate": made.certificate("gate"), "key": made.key("gate"), "client_ca": made.ca}
    lines = "".join(f"    {name}: {file}\n" for name, file in tls.items())
    context = front_of(parse(f"listen:\n  tls:\n{lines}")).tls
    assert context is not None
    return context


def test_the_gateway_is_believed_at_its_address_and_sees_who_calls(tmp_path: Path) -> None:
    made = make_certificates(tmp_path, {"desk": DESK})
    assert _shake(_gate(made), made.trust(), HOST) is None
    shown = _shake(_gate(made), made.trust("desk"), HOST)
    assert shown is not None
    found = Trust(made.ca.read_bytes()).check(shown, now_ms())
    assert isinstance(found, Certificate)
    assert found.spiffe == DESK
    with pytest.raises(ssl.SSLCertVerificationError):
        _shake(_gate(made), made.trust(), "127.0.0.2")


def test_each_authority_is_another(tmp_path: Path) -> None:
    one, other = (make_certificates(tmp_path / name, {}) for name in ("one", "other"))
    with pytest.raises(ssl.SSLCertVerificationError):
        _shake(_gate(one), other.trust(), HOST)


def test_keys_are_private_and_that_of_the_authority_is_not_kept(tmp_path: Path) -> None:
    made = make_certificates(tmp_path, {"desk": DESK})
    keys = sorted(tmp_path.glob("*.key"))
    assert keys == [made.key("desk"), made.key("gate")]
    assert [key.stat().st_mode & 0o077 for key in keys] == [0, 0]
    assert "PRIVATE" not in made.ca.read_text()
