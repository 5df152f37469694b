"""Untrusted schemas and arguments before the controls that read them; an operator's own files."""

from typing import Any

from fuzz.parts import LIMITS, cut, json_in, object_in, text
from lockgate.app import settings_file
from lockgate.inspection.schema import ArgumentsMatchSchema
from lockgate.inspection.schema_bounds import MOST_BYTES
from lockgate.model import REASONS, Call, Facts, Principal, Tool, Upstream
from lockgate.policy.mapping import ArgumentMapping, MappingInvalid, Mistyped, request_of
from lockgate.wire.refusal import WireRefusal
from lockgate.wire.strict_json import check

_ANN = Principal("person", "ann")
_UP = Upstream("up")


def schemas(data: bytes) -> None:
    """Parts: a tool's ``inputSchema``, arguments. Whatever they are, the work is bounded."""
    schema, arguments = cut(data, 2)
    call = _call(arguments, schema)
    if call is None:
        return
    control = ArgumentsMatchSchema()
    verdict = control.check(call, Facts({}))
    assert verdict.reason in ("schema.valid", "schema.invalid", "schema.unusable")
    assert control.check(call, Facts({})) == verdict
    assert all(len(said) < MOST_BYTES for said in verdict.because)


def mappings(data: bytes) -> None:
    """Parts: what policy reads, ``name <tab> type`` a line; arguments."""
    lines, arguments = cut(data, 2)
    call = _call(arguments, b"{}")
    if call is None:
        return
    types: dict[str, Any] = {}
    for line in lines.split(b"\n"):
        name, _, kind = text(line).partition("\t")
        types[name] = kind
    try:
        mapping = ArgumentMapping({("up", "x"): types})
    except MappingInvalid:
        return
    found = mapping.arguments_of(call)
    asked = request_of(mapping, call)
    if isinstance(found, Mistyped):
        assert found.argument in types
        assert asked == found
        return
    assert found.keys() <= types.keys()
    assert asked is not None
    assert not isinstance(asked, Mistyped)
    assert asked.cedar(asked.context((), 0))["context"]


def _call(arguments: bytes, schema: bytes) -> Call | None:
    """None for what the wire would not let in."""
    params = b'{"name":"x","arguments":%b}' % (arguments or b"{}")
    definition = b'{"name":"x","inputSchema":%b}' % (schema or b"{}")
    try:
        check(definition, LIMITS)
        json_in(schema or b"{}")
    except WireRefusal:
        return None
    # The arguments are one object in its own right, not a way out of their place.
    if object_in(arguments or b"{}") is None or object_in(params) is None:
        return None
    tool = Tool("up", "x", definition, schema or b"{}")
    return Call("c", _ANN, "tools/call", _UP, "x", params, tool)


def settings(data: bytes) -> None:
    """``lockgate.yaml``: an operator's, so trusted, but wrong in any way."""
    try:
        said = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return
    try:
        settings_file.parse(said)
    except settings_file.SettingsInvalid as refused:
        assert refused.problems
        lines = said.count("\n") + said.count("\r") + 2
        for problem in refused.problems:
            assert str(problem)
            assert 0 <= problem.line <= lines
    assert REASONS
