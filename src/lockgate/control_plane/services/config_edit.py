"""Adds upstreams to ``lockgate.yaml``, keeping its comments."""

import io
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

from lockgate.control_plane.services.deployment import UpstreamPlan
from lockgate.control_plane.services.refused import Refused


def add_upstreams(text: str, plans: Sequence[UpstreamPlan]) -> str:
    """The configuration ``text`` with ``plans`` added. Raises ``Refused``.

    A name that is there already is refused: it would change an upstream in use.
    """
    yaml = _yaml()
    try:
        root = yaml.load(text)
    except YAMLError as error:
        raise Refused(
            "The configuration is not valid YAML.", "Run `lockgate config check`."
        ) from error
    if root is None:
        return text + _block(yaml, {"upstreams": {p.name: _entry(p) for p in plans}})
    if not isinstance(root, CommentedMap):
        raise Refused("The configuration is not a mapping.", "Run `lockgate config check`.")
    if not root.get("upstreams"):
        return _first(yaml, text, root, plans)
    upstreams = root["upstreams"]
    for plan in plans:
        if plan.name in upstreams:
            raise Refused(f"There is an upstream {plan.name} already.", "Nothing was changed.")
    _append(upstreams, plans)
    return _block(yaml, root)


def _first(yaml: YAML, text: str, root: CommentedMap, plans: Sequence[UpstreamPlan]) -> str:
    """``upstreams: {}`` becomes a block, in the text itself: what follows it stays as it is."""
    block = _block(yaml, {"upstreams": {p.name: _entry(p) for p in plans}})
    if "upstreams" not in root:
        return text.rstrip("\n") + "\n\n" + block
    line = root.lc.key("upstreams")[0]
    lines = text.splitlines(keepends=True)
    bare = lines[line].split("#")[0].strip()
    if bare not in ("upstreams: {}", "upstreams:"):
        root["upstreams"] = CommentedMap({p.name: _entry(p) for p in plans})
        return _block(yaml, root)
    comment = lines[line].partition("#")[2]
    if comment:
        block = block.replace("upstreams:", f"upstreams: #{comment.rstrip()}", 1)
    return "".join([*lines[:line], block, *lines[line + 1 :]])


def _append(upstreams: Any, plans: Sequence[UpstreamPlan]) -> None:
    for plan in plans:
        upstreams[plan.name] = _entry(plan)
    if upstreams.fa.flow_style():
        upstreams.fa.set_block_style()


def _entry(plan: UpstreamPlan) -> CommentedMap:
    entry = CommentedMap()
    if plan.argv:
        entry["command"] = plan.argv[0]
        if len(plan.argv) > 1:
            entry["args"] = list(plan.argv[1:])
    else:
        entry["url"] = plan.url
        parts = urlsplit(plan.url)
        loopback = parts.hostname in ("localhost", "127.0.0.1", "::1")
        if parts.scheme == "http" and not loopback:
            entry["insecure_http"] = True
            entry.yaml_add_eol_comment("anyone on the way can read and change it", "insecure_http")
    for name in ("env", "headers"):
        values = getattr(plan, name)
        if values:
            entry[name] = dict(values)
    if plan.cwd:
        entry["cwd"] = plan.cwd
    return entry


def _yaml() -> YAML:
    yaml = YAML()  # round trip: YAML 1.2, comments and quotes kept
    yaml.preserve_quotes = True
    yaml.width = 4096
    yaml.indent(mapping=2, sequence=4, offset=2)
    return yaml


def _block(yaml: YAML, value: Any) -> str:
    out = io.StringIO()
    yaml.dump(value, out)
    return out.getvalue()
