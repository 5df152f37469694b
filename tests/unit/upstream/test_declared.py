import json

import pytest

from lockgate.upstream.declared import Declared, declared

SAYS = {"listChanged": True}


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({}, Declared()),
        ({"tools": {}, "prompts": {"listChanged": "yes"}, "resources": []}, Declared()),
        (
            {"tools": SAYS, "prompts": SAYS, "resources": SAYS, "other": SAYS},
            Declared(frozenset({"tools", "prompts", "resources"})),
        ),
        ({"resources": {"subscribe": True}}, Declared(subscribe=True)),
        ({"logging": {}}, Declared(logging=True)),
    ],
)
def test_what_is_declared(said: object, found: Declared) -> None:
    assert declared(json.dumps(said).encode()) == found
    assert found.anything is (found != Declared())
