"""``lockgate.yaml`` to ``Settings``, or to a list of problems with line, column and remedy."""

import difflib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from lockgate.app.settings import Settings
from lockgate.app.settings_anchor import anchor
from lockgate.app.yaml_tree import Path as TreePath
from lockgate.app.yaml_tree import Tree, YamlInvalid, read_tree
from lockgate.model.problem import Problem

MAX_FILE_BYTES = 2**20
_PRIVATE = frozenset(
    {"database", "env", "headers", "args", "url", "auth", "scim_secrets", "password",
     "secret", "old_secret", "client_secret", "private_key"}
)  # fmt: skip
_KINDS: Mapping[str, str] = {
    "string_type": "text (put it in quotes)",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "dict_type": "a mapping (name: value)",
    "tuple_type": "a list",
    "frozen_set_type": "a list",
    "list_type": "a list",
    "model_type": "a mapping (name: value)",
    "model_attributes_type": "a mapping (name: value)",
    "missing": "a value",
    "finite_number": "a finite number",
}


class SettingsInvalid(Exception):
    """The configuration cannot be used. ``problems`` says everything that is wrong with it."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(p) for p in problems))
        self.problems = problems


def load(path: Path) -> Settings:
    """Read the file; relative paths in it become absolute. Raises ``SettingsInvalid``."""
    name = str(path)
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        remedy = "Run `lockgate init` to write one, or name another with --config."
        why = error.strerror or "error"
        raise SettingsInvalid((Problem(f"cannot be read ({why})", name, remedy=remedy),)) from error
    if len(raw) > MAX_FILE_BYTES:
        raise SettingsInvalid((Problem("is larger than 1 MiB", name, remedy="Make it smaller."),))
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - raw.rfind(b"\n", 0, error.start)
        raise SettingsInvalid(
            (Problem("is not UTF-8 text", name, line, column, remedy="Save it as UTF-8."),)
        ) from error
    return anchor(parse(text, name), path.absolute().parent)


def parse(text: str, name: str = "lockgate.yaml") -> Settings:
    """Settings as written, paths as they stand. Raises ``SettingsInvalid``."""
    try:
        tree = read_tree(text)
    except YamlInvalid as error:
        line, column = error.place
        problem = Problem(error.what, name, line, column, remedy=error.remedy)
        raise SettingsInvalid((problem,)) from error
    if tree.value is None:
        tree.value = {}
    if not isinstance(tree.value, dict):
        problem = Problem(
            "wrong kind of value", name, 1, 1, "", _shown(tree.value), _KINDS["dict_type"],
            "Start with `listen:` or `upstreams:`.",
        )  # fmt: skip
        raise SettingsInvalid((problem,))
    try:
        # JSON mode: a list is what a tuple or set is written as, and nothing else is coerced.
        return Settings.model_validate_json(json.dumps(tree.value))
    except ValidationError as error:
        found = [_problem(e, tree, name) for e in error.errors(include_url=False)]
        raise SettingsInvalid(tuple(sorted(found, key=lambda p: (p.line, p.column)))) from error


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the file, for editors."""
    made = Settings.model_json_schema(mode="validation")
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made,
            "title": "lockgate.yaml"}  # fmt: skip


def _problem(error: ErrorDetails, tree: Tree, name: str) -> Problem:
    context: Mapping[str, Any] = error.get("ctx", {})
    kind = error["type"]
    loc = tuple(p for p in error["loc"] if p != "[key]")
    if kind == "lockgate" and context.get("at"):
        loc += tuple(str(context["at"]).split(".", 1))
    of_key = kind == "extra_forbidden" or "[key]" in error["loc"]
    line, column = tree.place(loc, key=of_key)
    dotted = ".".join(str(p) for p in loc)
    if kind == "extra_forbidden":
        remedy = _nearest(str(loc[-1]), _known(loc[:-1]))
        return Problem("there is no such setting", name, line, column, dotted, remedy=remedy)
    if kind == "lockgate":
        return Problem("not accepted", name, line, column, dotted, _found(loc, tree),
                       str(context["expected"]), str(context["remedy"]))  # fmt: skip
    found = _shown(loc[-1]) if of_key else _found(loc, tree)
    return Problem("wrong value", name, line, column, dotted, found, _expected(error))


def _expected(error: ErrorDetails) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "literal_error":
        return f"one of {context['expected']}".replace("'", "")
    if kind == "string_pattern_mismatch":
        return _PATTERNS.get(str(context["pattern"]), "text of another form")
    for bound, words in _BOUNDS.items():
        if bound in context:
            return f"{words} {context[bound]}"
    return _KINDS.get(kind, error["msg"][:1].lower() + error["msg"][1:])


_BOUNDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than",
           "min_length": "characters: at least", "max_length": "characters: at most"}  # fmt: skip
_PATTERNS = {
    r"^[a-z0-9][a-z0-9-]{0,31}$": "a name of lower-case letters, digits and hyphens, at most 32",
    r"^[A-Za-z0-9_.:-]{1,64}$": "a word of letters, digits and _ . : -, at most 64",
}


def _known(loc: TreePath) -> list[str]:
    """The settings that may stand at ``loc``."""
    model: type[BaseModel] | None = Settings
    steps = list(loc)
    while steps and model is not None:
        field = model.model_fields.get(str(steps.pop(0)))
        model = None if field is None else _model_of(field.annotation)
        if model is not None and field is not None and _is_mapping(field.annotation) and steps:
            steps.pop(0)
    return [] if model is None else list(model.model_fields)


def _model_of(annotation: Any) -> type[BaseModel] | None:
    for part in (annotation, *getattr(annotation, "__args__", ())):
        if isinstance(part, type) and issubclass(part, BaseModel):
            return part
    return None


def _is_mapping(annotation: Any) -> bool:
    return getattr(annotation, "__origin__", None) is dict


def _nearest(word: str, known: list[str]) -> str:
    near = difflib.get_close_matches(word.lower().replace("-", "_"), known, n=1, cutoff=0.6)
    if near:
        return f"Did you mean {near[0]}?"
    return f"Known here: {', '.join(known)}." if known else "Remove it."


def _found(loc: TreePath, tree: Tree) -> str:
    if _PRIVATE.intersection(loc):
        return ""  # may hold a secret
    value = tree.value
    for step in loc:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return "nothing"
    return _shown(value)


def _shown(value: Any) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = re.sub(r"[^\x20-\x7e]", "?", json.dumps(value))
    return text if len(text) <= 60 else text[:57] + "..."
