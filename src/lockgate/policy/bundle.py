"""A compiled, validated, immutable set of policies."""

import hashlib
from collections.abc import Iterable, Mapping

import cedarpy
import msgspec
import orjson

from lockgate.model.problem import Problem
from lockgate.policy.mapping import ArgumentMapping
from lockgate.policy.rule import Rule, policy_set, read
from lockgate.policy.schema import schema_text
from lockgate.policy.source import PolicyInvalid, Statement, statements

BUILT_IN = "lockgate"
"""The file name under which the gateway's own policies appear."""

# The gateway learns what its upstreams offer. This is all it may do by itself.
_SYSTEM_LISTS = """\
permit(principal is System, action in Action::"list", resource is Upstream);
"""
_ALLOW_ALL = "permit(principal, action, resource);\n"


class PolicyBundle(msgspec.Struct, frozen=True, eq=False):
    """Parsed once; every decision reuses the handles. An empty set is legal: it denies."""

    rules: Mapping[str, Rule]
    """By policy id, the built-in ones included."""
    mapping: ArgumentMapping
    policies: cedarpy.PolicySet
    schema: cedarpy.Schema
    hash: str
    """Over everything that can change a decision: policies, annotations, schema and mapping.
    White space, comments, and the order of files do not count."""

    def grounds(self, ids: Iterable[str], upstream: str, tool: str) -> str:
        """Over what can change an answer that these policies gave about this tool: a change of
        others does not make it another answer."""
        said = [_said(self.rules[name]) for name in sorted(set(ids)) if name in self.rules]
        read_from = sorted(self.mapping.tools.get((upstream, tool), {}).items())
        body = orjson.dumps([said, read_from], option=orjson.OPT_SORT_KEYS)
        return hashlib.sha256(b"lockgate/grounds/v1\0" + body).hexdigest()

    @classmethod
    def compile(cls, texts: Mapping[str, str], mapping: ArgumentMapping) -> "PolicyBundle":
        """Read policy files (name to text). Raises ``PolicyInvalid`` with every problem found."""
        vocabulary = schema_text(mapping)
        schema = cedarpy.Schema.from_str(vocabulary)
        found = [s for name, text in sorted(texts.items()) for s in statements(name, text)]
        rules, problems = _read_all(found, schema)
        if problems:
            raise PolicyInvalid(tuple(problems))
        return cls._of([_built_in("system-lists", _SYSTEM_LISTS), *rules], mapping, vocabulary)

    @classmethod
    def unsafe_allow_all(cls, mapping: ArgumentMapping) -> "PolicyBundle":
        """Permits everything to everyone. For protocol conformance runs, never for service."""
        rules = [_built_in("system-lists", _SYSTEM_LISTS)]
        rules.append(_built_in("unsafe-allow-all", _ALLOW_ALL))
        return cls._of(rules, mapping, schema_text(mapping))

    @classmethod
    def _of(cls, rules: list[Rule], mapping: ArgumentMapping, vocabulary: str) -> "PolicyBundle":
        table = {rule.id: rule for rule in sorted(rules, key=lambda rule: rule.id)}
        return cls(
            rules=table,
            mapping=mapping,
            policies=policy_set({name: rule.cedar for name, rule in table.items()}),
            schema=cedarpy.Schema.from_str(vocabulary),
            hash=_hash(table.values(), mapping, vocabulary),
        )


def _read_all(
    found: Iterable[Statement], schema: cedarpy.Schema
) -> tuple[list[Rule], list[Problem]]:
    rules: dict[str, Rule] = {}
    problems: list[Problem] = []
    for statement in found:
        rule, wrong = read(statement)
        if rule is not None:
            wrong += _validate(statement.text, schema)
            first = rules.setdefault(rule.id, rule)
            if first is not rule:
                wrong.append(f"the id {rule.id!r} is taken by {first.file}:{first.line}")
        problems += map(statement.problem, wrong)
    return list(rules.values()), problems


def _validate(text: str, schema: cedarpy.Schema) -> list[str]:
    # Each statement was parsed alone, so Cedar calls every one of them ``policy0``.
    errors = cedarpy.validate_policies(text, schema).errors
    return [error.error.removeprefix("for policy `policy0`, ") for error in errors]


def _built_in(name: str, text: str) -> Rule:
    (statement,) = statements(BUILT_IN, text)
    rule, wrong = read(statement)
    if rule is None or wrong:
        raise PolicyInvalid(tuple(map(statement.problem, wrong)))
    return msgspec.structs.replace(rule, id=f"{BUILT_IN}.{name}")


def _said(rule: Rule) -> list[object]:
    return [rule.id, rule.cedar, rule.hold, sorted(rule.drop)]


def _hash(rules: Iterable[Rule], mapping: ArgumentMapping, vocabulary: str) -> str:
    said = [_said(r) for r in rules]
    read_from = sorted([*where, name] for where, names in mapping.tools.items() for name in names)
    body = orjson.dumps([said, read_from, vocabulary], option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(b"lockgate/policy/v1\0" + body).hexdigest()
