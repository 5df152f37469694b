from lockgate.identity.evidence import Evidence


def test_who_shows_nothing_shows_nothing_by_default() -> None:
    shown = Evidence(())
    assert (shown.certificate, shown.dpop, shown.peer) == (b"", (), "")
