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
