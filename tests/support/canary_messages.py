"""Messages of MCP with a word of their own in every field, made from the specification's types.

The fields come from the ``mcp`` SDK's models of each version's schema, so a field that a version
adds is planted without anybody thinking of it. Free-form objects get keys and values, every object
a member that no schema knows, every union each of its kinds.
"""

import types
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from mcp_types import methods as spec
from pydantic import BaseModel, RootModel
from typing_extensions import TypeAliasType

from lockgate.model.call import EraName
from support.canary_words import Mint

VERSIONS: Mapping[EraName, str] = {"legacy": "2025-11-25", "modern": "2026-07-28"}
_DEEPEST = 9
_SCALARS: dict[Any, Any] = {int: 1, float: 0.5, bool: True, type(None): None}
_OWNED = "io.modelcontextprotocol/"

Json = dict[str, Any]


class Planter:
    """Fills types. ``turn`` picks one kind of each union that stands alone."""

    def __init__(self, mint: Mint, side: str, label: str, turn: int = 0) -> None:
        self._mint = mint
        self._side = side
        self._label = label
        self._turn = turn
        self.kinds = 1
        """Kinds of the widest union met: as many turns show all of them."""

    def word(self, path: str) -> str:
        return self._mint.word(self._side, f"{self._label}{path}")

    def model(self, kind: type[BaseModel], path: str = "", deep: int = 0) -> Any:
        if issubclass(kind, RootModel):
            return self.value(kind.model_fields["root"].annotation, path, deep + 1)
        said: Json = {}
        for name, field in kind.model_fields.items():
            key = field.alias or name
            if not key.startswith(_OWNED) and (deep < _DEEPEST or field.is_required()):
                found = self.value(field.annotation, f"{path}/{key}", deep + 1)
                said |= {} if found is None else {key: found}
        return {**said, f"com.example/{self.word(f'{path}/<key>')}": self.word(f"{path}/<any>")}

    def value(self, kind: Any, path: str, deep: int) -> Any:
        if isinstance(kind, TypeAliasType):
            return self.free(path)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return self.model(kind, path, deep)
        if kind in _SCALARS:
            return _SCALARS[kind]
        if kind is str:
            return self.word(path)
        return self._compound(kind, path, deep)

    def free(self, path: str) -> Json:
        """Any JSON: keys and values at three depths."""
        deepest = [self.word(f"{path}/<list>"), {self.word(f"{path}/<deep>"): 1}]
        return {self.word(f"{path}/<key>"): self.word(f"{path}/<value>"), "list": deepest}

    def _compound(self, kind: Any, path: str, deep: int) -> Any:
        origin, inside = get_origin(kind), get_args(kind)
        if origin is Annotated:
            return self.value(inside[0], path, deep)
        if origin is Literal:
            return inside[self._turn % len(inside)]
        if origin in (Union, types.UnionType):
            wanted = self._kinds(inside)
            self.kinds = max(self.kinds, len(wanted))
            return self.value(wanted[self._turn % len(wanted)], path, deep)
        if origin is list:
            return [
                self.value(one, f"{path}/{n}", deep + 1)
                for n, one in enumerate(self._alternatives(inside[0]))
            ]
        if origin is dict and deep < _DEEPEST:
            key = self.word(f"{path}/<key>")
            return {key: self.value(inside[1], f"{path}/*", deep + 1)}
        return self.free(path)

    @staticmethod
    def _kinds(inside: tuple[Any, ...]) -> tuple[Any, ...]:
        """Without None, and without plain scalars where a text says more."""
        found = tuple(one for one in inside if one is not type(None))
        rich = tuple(one for one in found if one not in (int, float, bool))
        return rich or found

    def _alternatives(self, kind: Any) -> tuple[Any, ...]:
        if get_origin(kind) is Annotated:
            return self._alternatives(get_args(kind)[0])
        if get_origin(kind) in (Union, types.UnionType):
            return self._kinds(get_args(kind))
        return (kind,)


def planted(mint: Mint, side: str, label: str, kind: Any) -> Iterator[Json]:
    """As many messages of this type as show every kind of every union in it."""
    turn, kinds = 0, 1
    while turn < kinds:
        planter = Planter(mint, side, f"{label}#{turn}", turn)
        yield planter.value(kind, "", 0)
        turn, kinds = turn + 1, planter.kinds


def params_type(model: type[BaseModel]) -> Any:
    return model.model_fields["params"].annotation


def request_type(method: str, era: EraName) -> Any:
    """Type of a client request's params. Raises ``KeyError`` where the version has none."""
    return params_type(spec.CLIENT_REQUESTS[method, VERSIONS[era]])


def result_type(method: str, era: EraName) -> Any:
    """Type of its complete result."""
    found = spec.SERVER_RESULTS[method, VERSIONS[era]]
    kinds = get_args(found) or (found,)
    return next(kind for kind in kinds if "Input" not in kind.__name__)


def asked_type(method: str) -> Any:
    """Type of the params of a server-to-client request; in 2026-07-28 they ride in results."""
    return params_type(spec.SERVER_REQUESTS[method, VERSIONS["legacy"]])


def answered_type(method: str) -> Any:
    return spec.CLIENT_RESULTS[method, VERSIONS["legacy"]]


def notified_types(era: EraName) -> dict[str, Any]:
    """Every notification that a server of this era may send, with the type of its params."""
    return {
        method: params_type(model)
        for (method, version), model in spec.SERVER_NOTIFICATIONS.items()
        if version == VERSIONS[era]
    }
