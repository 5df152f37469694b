"""One policy: what Cedar evaluates, and what Lockgate reads from its annotations."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Literal

import cedarpy
import msgspec
import orjson

from lockgate.policy.source import Statement
from lockgate.wire.edit import tokens

ANNOTATIONS = frozenset({"id", "hold", "drop", "description"})
RESERVED = "lockgate."
"""Ids with this beginning are the gateway's own."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}\Z")
_FACTOR = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}\Z")
_POINTER = re.compile(r"/arguments(?:/(?:[^~/]|~0|~1)+)+\Z")
_LOOKUPS = (".", "has", "in", "is", "getTag", "hasTag")
_MAY_FAIL = frozenset({"+", "-", "*", "neg", "offset", "durationSince"})


class Rule(msgspec.Struct, frozen=True):
    """``hold`` and ``drop`` are the annotations ``@hold("factor")`` of a forbid and
    ``@drop("/arguments/x /arguments/y")`` of a permit."""

    id: str
    effect: Literal["permit", "forbid"]
    file: str
    line: int
    text: str
    hold: str = ""
    drop: tuple[str, ...] = ()
    description: str = ""
    cedar: Mapping[str, Any] = {}
    """Cedar's JSON form of the policy, without annotations."""


def read(statement: Statement) -> tuple[Rule | None, list[str]]:
    """The rule, and what is wrong with it. None where Cedar cannot read it as a policy."""
    if statement.too_complex:
        return None, ["the policy is too long or too deeply nested: split it"]
    try:
        whole = orjson.loads(cedarpy.policies_to_json_str(statement.text))
    except ValueError as error:
        return None, [str(error)]
    if whole["templates"]:
        return None, ["templates (?principal, ?resource) are not supported"]
    (body,) = whole["staticPolicies"].values()
    notes = body.pop("annotations", {})
    if not _can_be_handed_back(body):
        return None, ["the expressions are too deeply nested: split the policy, or use a set"]
    rule = Rule(
        id=notes.get("id", f"{statement.file}:{statement.index}") or "",
        effect=body["effect"],
        file=statement.file,
        line=statement.line,
        text=statement.text,
        hold=notes.get("hold") or "",
        drop=tuple((notes.get("drop") or "").split()),
        description=notes.get("description") or "",
        cedar=body,
    )
    return rule, [*_check_notes(notes, rule), *_check_literals(body)]


def may_fail(cedar: object) -> bool:
    """Can evaluating this expression fail once it is validated? Only arithmetic overflows."""
    return any(operator in _MAY_FAIL for operator, _ in _operators(cedar))


def policy_set(bodies: Mapping[str, Mapping[str, Any]]) -> cedarpy.PolicySet:
    """Cedar's handle on policies in JSON form, by id. Raises ``ValueError`` or, where it
    is nested too deeply, ``orjson.JSONEncodeError``."""
    whole = {"staticPolicies": bodies, "templates": {}, "templateLinks": []}
    return cedarpy.PolicySet.from_json_str(orjson.dumps(whole).decode())


def _can_be_handed_back(body: Mapping[str, Any]) -> bool:
    # ``a || b || c ...`` is nested too in JSON form; both JSON libraries have a depth limit.
    try:
        policy_set({"p": body})
    except (ValueError, orjson.JSONEncodeError):
        return False
    return True


def _check_notes(notes: Mapping[str, str | None], rule: Rule) -> Iterator[str]:
    for unknown in sorted(notes.keys() - ANNOTATIONS):
        yield f"unknown annotation @{unknown}; known are @{', @'.join(sorted(ANNOTATIONS))}"
    if "id" in notes and not _ID.match(rule.id):
        yield "an @id is 1 to 128 letters, digits and . _ : / - and begins with a letter or digit"
    if rule.id.startswith(RESERVED):
        yield f"ids that begin with {RESERVED!r} are reserved"
    if "hold" in notes:
        yield from _check_hold(rule)
    if "drop" in notes:
        yield from _check_drop(rule)


def _check_hold(rule: Rule) -> Iterator[str]:
    if rule.effect != "forbid":
        yield "@hold belongs on a forbid: it turns a refusal into a question"
    elif not _FACTOR.match(rule.hold):
        yield "@hold names a factor: 1 to 64 of a-z 0-9 . _ -"
    elif not _asks_for(rule.cedar, rule.hold):
        yield (
            f'a @hold("{rule.hold}") policy must say: '
            f'unless {{ context.approvals.contains("{rule.hold}") }}'
        )


def _check_drop(rule: Rule) -> Iterator[str]:
    if rule.effect != "permit":
        yield "@drop belongs on a permit: nothing is forwarded under a forbid"
    if not rule.drop:
        yield "@drop names JSON pointers below /arguments"
    for pointer in rule.drop:
        if not _POINTER.match(pointer):
            yield f"@drop {pointer!r} is not a JSON pointer below /arguments"
        elif any(token.isdecimal() for token in tokens(pointer)):
            # Without one element the next has its number, and judging again would drop that too.
            yield f"@drop {pointer!r} has a number in it: elements of a list cannot be dropped"


def _check_literals(cedar: object) -> Iterator[str]:
    """A call carries its own principal and resource and nobody else's: attributes and groups of an
    entity that a policy names would silently be missing."""
    for operator, operands in _operators(cedar):
        if operator in _LOOKUPS and isinstance(operands, dict):
            for entity in _entities(operands.get("left")):
                yield (
                    f'attributes and groups of {entity["type"]}::"{entity["id"]}" are not known '
                    "here; only those of principal and resource are"
                )


def _asks_for(cedar: object, factor: str) -> bool:
    approvals = {".": {"left": {"Var": "context"}, "attr": "approvals"}}
    wanted = {"left": approvals, "right": {"Value": factor}}
    return any(name == "contains" and of == wanted for name, of in _operators(cedar))


def _operators(tree: object) -> Iterator[tuple[str, Any]]:
    """Every (key, value) of a JSON tree; in Cedar's JSON form operators are keys."""
    if isinstance(tree, dict):
        for key, value in tree.items():
            yield key, value
            if key != "Value":
                yield from _operators(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from _operators(value)


def _entities(tree: object) -> Iterator[dict[str, str]]:
    for name, value in _operators(tree):
        if name == "Value" and isinstance(value, dict) and "__entity" in value:
            yield value["__entity"]
