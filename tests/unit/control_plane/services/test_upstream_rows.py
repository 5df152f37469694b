from lockgate.control_plane.services.upstream_rows import UpstreamListed, listed
from support.console_rooms import BROKEN, MAIL


def test_a_list_counts_tools_and_keeps_the_rest() -> None:
    found = listed(MAIL)
    assert found.tools == 1
    for name in set(UpstreamListed.__struct_fields__) - {"tools"}:
        assert getattr(found, name) == getattr(MAIL, name)
    assert listed(BROKEN).tools == 0
