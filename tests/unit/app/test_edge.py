import msgspec
import pytest

from lockgate.app.edge import Edge


@pytest.mark.parametrize(
    ("edge", "base"),
    [
        (Edge(frozenset(), frozenset(), 1, 1.0), "http://gate:8765"),
        (Edge(frozenset(), frozenset(), 1, 1.0, scheme="https"), "https://gate:8765"),
        (
            Edge(frozenset(), frozenset(), 1, 1.0, public_url="https://g.example"),
            "https://g.example",
        ),
    ],
)
def test_a_client_is_told_where_it_reached_us(edge: Edge, base: str) -> None:
    assert edge.base("Gate:8765") == base


def test_pages_for_people_are_also_under_the_name_that_they_sign_in_at() -> None:
    edge = Edge(frozenset({"gate:8765"}), frozenset(), 1, 1.0)
    assert edge.page_hosts == {"gate:8765"}
    console = msgspec.structs.replace(edge, console="https://console.example:8443")
    assert console.page_hosts == {"gate:8765", "console.example:8443"}
