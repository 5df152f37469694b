import pytest

from lockgate.app.settings import Settings
from lockgate.app.settings_file import parse
from lockgate.app.settings_maps import argument_mapping, endpoints, marks

CLINIC = """
upstreams:
  clinic:
    command: clinic
    tools:
      get_patient: {arguments: {patient_id: string}}
      delete_patient: {hold: data-owner}
      list_rooms: {}
  shop: {url: "https://shop.example/mcp"}
"""


@pytest.fixture
def settings() -> Settings:
    return parse(CLINIC)


def test_one_endpoint_over_all_and_one_for_each() -> None:
    found = endpoints(("clinic", "shop"))
    assert set(found) == {"/mcp", "/mcp/clinic", "/mcp/shop"}
    assert (found["/mcp"].upstreams, found["/mcp"].prefixed) == (("clinic", "shop"), True)
    assert (found["/mcp/shop"].upstreams, found["/mcp/shop"].prefixed) == (("shop",), False)
    assert endpoints(("b", "a"))["/mcp"].upstreams == ("a", "b")


def test_marks_and_arguments_are_those_of_the_settings(settings: Settings) -> None:
    assert marks(settings) == {("clinic", "delete_patient"): "data-owner"}
    assert dict(argument_mapping(settings).tools) == {
        ("clinic", "get_patient"): {"patient_id": "string"}
    }
