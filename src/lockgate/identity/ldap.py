"""Who works here, read from a directory (LDAP: RFC 4511). Blocks. Needs the extra ``ldap``.

Nothing that a client sends reaches a query: all people are listed, and compared here.
"""

import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import ldap3
import msgspec
from ldap3.core.exceptions import LDAPException

from lockgate.model.person import DirectoryDown, Listed

CONNECT_SECONDS = 5
ANSWER_SECONDS = 10
"""How long one page may take."""
READ_SECONDS = 60
"""How long a whole reading may take."""
MOST_PEOPLE = 200_000
_PAGE = 500
_PORTS = {"ldap": 389, "ldaps": 636}
_GUID = "objectguid"
"""Active Directory's unchanging name, in bytes (MS-ADTS, 2.2.1.1: little-endian parts)."""


class LdapTarget(msgspec.Struct, frozen=True):
    """A directory, and what is read of it. ``people`` and ``inactive`` are filters (RFC 4515) by
    the operator."""

    name: str
    url: str
    base: str
    people: str
    user_name: str
    external_id: str
    member_of: str
    employee: str = ""
    inactive: str = ""
    start_tls: bool = False
    ca_file: str = ""
    bind_dn: str = ""
    password: str = ""

    def __repr__(self) -> str:
        return f"LdapTarget({self.name})"


class _Tls(ldap3.Tls):  # type: ignore[misc]
    """TLS as Python does it by default: the certificate and the name in it are checked."""

    def __init__(self, ca_file: str) -> None:
        super().__init__(validate=ssl.CERT_REQUIRED)
        self._context = ssl.create_default_context(cafile=ca_file or None)

    def wrap_socket(self, connection: Any, do_handshake: bool = False) -> None:  # noqa: ARG002
        host = connection.server.host
        connection.socket = self._context.wrap_socket(connection.socket, server_hostname=host)


class LdapDirectory:
    def __init__(self, target: LdapTarget) -> None:
        self._target = target

    def read(self) -> tuple[Listed, ...]:
        """Everybody it lists. Raises ``DirectoryDown`` unless it told all to the end."""
        try:
            return self._listed()
        except (LDAPException, OSError, ValueError) as error:
            raise DirectoryDown(f"the directory {self._target.name}: {error}") from error

    def _listed(self) -> tuple[Listed, ...]:
        target, ends = self._target, time.monotonic() + READ_SECONDS
        wanted = [target.user_name, target.external_id, target.member_of]
        wanted += [target.employee] if target.employee else []
        with self._connected() as connection:
            away = set()
            if target.inactive:
                both = f"(&{target.people}{target.inactive})"
                away = {dn for dn, _ in self._entries(connection, both, ["1.1"], ends)}
            entries = self._entries(connection, target.people, wanted, ends)
            return tuple(
                self._person(values, dn not in away)
                for dn, values in entries
                if values.get(target.user_name.lower())
            )

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        """ldap3's own ``with`` would leave open what was open when it was entered."""
        target = self._target
        parts = urlsplit(target.url)
        secure = parts.scheme == "ldaps"
        server = ldap3.Server(
            parts.hostname, parts.port or _PORTS[parts.scheme], use_ssl=secure,
            tls=_Tls(target.ca_file) if secure or target.start_tls else None,
            get_info=ldap3.NONE, connect_timeout=CONNECT_SECONDS,
        )  # fmt: skip
        connection = ldap3.Connection(
            server, target.bind_dn or None, target.password or None, auto_referrals=False,
            check_names=False, raise_exceptions=True, read_only=True,
            receive_timeout=ANSWER_SECONDS,
        )  # fmt: skip
        try:
            connection.open()
            if target.start_tls and not connection.start_tls():
                raise DirectoryDown(f"the directory {target.name} does not begin TLS")
            if not connection.bind():
                raise DirectoryDown(f"the directory {target.name} does not know the reader")
            yield connection
        finally:
            with suppress(LDAPException):  # where it broke before, that is what is told
                connection.unbind()
            if connection.socket is not None:
                connection.socket.close()

    def _entries(
        self, connection: Any, query: str, wanted: list[str], ends: float
    ) -> Iterator[tuple[str, Mapping[str, list[bytes]]]]:
        """DN, and values by attribute in lower case. Page by page: ldap3's own paging takes a list
        that the server cut short for the whole one, and whoever is missing there for a leaver."""
        cookie, count = b"", 0
        while True:
            connection.search(
                self._target.base, query, ldap3.SUBTREE, ldap3.DEREF_NEVER, wanted,
                paged_size=_PAGE, paged_cookie=cookie or None,
            )  # fmt: skip
            result, response = connection.result, connection.response
            if result["result"] != 0:
                raise DirectoryDown(f"{self._target.name} stopped: {result['description']}")
            for entry in response:
                if entry["type"] == "searchResEntry":
                    count += 1
                    raw = entry["raw_attributes"]
                    yield entry["dn"], {name.lower(): values for name, values in raw.items()}
            if count > MOST_PEOPLE or time.monotonic() > ends:
                raise DirectoryDown(f"{self._target.name} lists too many, or takes too long")
            cookie = _cookie(result)
            if not cookie:
                return

    def _person(self, values: Mapping[str, list[bytes]], active: bool) -> Listed:
        """Raises ``ValueError`` for a name that is no text."""
        target = self._target
        groups = values.get(target.member_of.lower(), [])
        return Listed(
            values[target.user_name.lower()][0].decode(),
            _id(target.external_id, values.get(target.external_id.lower(), [])),
            active,
            frozenset(group.decode() for group in groups),
            _id(target.employee, values.get(target.employee.lower(), [])),
        )


def _id(attribute: str, values: list[bytes]) -> str:
    if not values:
        return ""
    if attribute.lower() == _GUID and len(values[0]) == 16:
        return str(UUID(bytes_le=values[0]))
    return values[0].decode()


def _cookie(result: Mapping[str, Any]) -> bytes:
    """Where the next page begins (RFC 2696); empty after the last."""
    control = result.get("controls", {}).get("1.2.840.113556.1.4.319", {})
    found: bytes = control.get("value", {}).get("cookie") or b""
    return found
