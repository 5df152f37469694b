"""Kinds of values that settings take, and how a mistake in one is told."""

import ipaddress
import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

UPSTREAM_NAME = r"^[a-z0-9][a-z0-9-]{0,31}$"
_SIZE = re.compile(r"([0-9]{1,9}) ?(KiB|MiB|GiB)")
_UNITS = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
_HOST = re.compile(r"\[[0-9A-Fa-f:.]+\]|[0-9A-Za-z._-]+")


class Closed(BaseModel):
    """What a settings file may say in one place; anything else is refused."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, strict=True, use_attribute_docstrings=True
    )


def refuse(expected: str, remedy: str, at: tuple[str, ...] = ()) -> PydanticCustomError:
    """A mistake, in the words the operator reads. ``at``: where, below the value checked."""
    return PydanticCustomError("lockgate", "{expected}", {
        "expected": expected, "remedy": remedy, "at": ".".join(at)})  # fmt: skip


def is_loopback(host: str) -> bool:
    """Whether ``host`` (name or address) can only be this machine."""
    bare = host.strip("[]").rstrip(".").lower()
    if bare == "localhost" or bare.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(bare).is_loopback
    except ValueError:
        return False


def size(value: Any) -> Any:
    found = _SIZE.fullmatch(value) if isinstance(value, str) else None
    return int(found[1]) * _UNITS[found[2]] if found else value


def listed(value: Any) -> Any:
    if isinstance(value, str):
        return (value,)
    return tuple(value) if isinstance(value, list) else value


def _host_name(value: str) -> str:
    name, _, port = value.rpartition(":") if not value.endswith("]") else (value, "", "")
    if not name or not port.isdigit():
        name = value
    if not _HOST.fullmatch(name):
        raise refuse("a host name, without scheme or path", "Write for instance gate.example.org.")
    return value.lower()


def _origin(value: str) -> str:
    parts = split_url(value)
    bare = not (parts.path or parts.query or parts.fragment or "@" in parts.netloc)
    if parts.scheme not in ("http", "https") or not parts.hostname or not bare:
        raise refuse("an origin: scheme, host and port only",
                     "Write for instance https://console.example.org.")  # fmt: skip
    return value.lower()


def split_url(url: str) -> Any:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise refuse("a URL", "Check the host and the port.") from error
    return parts


Size = Annotated[
    int, BeforeValidator(size), Field(ge=1024, le=2**30),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 1024, "maximum": 2**30},
                              {"type": "string", "pattern": f"^{_SIZE.pattern}$"}]}),
]  # fmt: skip
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=4096)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=128)]
HostName = Annotated[Text, AfterValidator(_host_name)]
Origin = Annotated[Text, AfterValidator(_origin)]
UpstreamName = Annotated[str, StringConstraints(pattern=UPSTREAM_NAME)]
Value = Annotated[str, StringConstraints(max_length=65_536)]
