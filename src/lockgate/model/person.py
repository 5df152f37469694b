"""Who is known to work here, and in which groups, as a source last said."""

import unicodedata
from functools import lru_cache

import msgspec

SCIM = "scim"
"""The source that an identity provider writes to (RFC 7644)."""
OPERATOR = "operator"
"""The source that ``lockgate people`` writes to."""
LDAP = "ldap:"
"""Sources that are read by us: this, and the name of the directory."""


class Person(msgspec.Struct, frozen=True):
    """What one source says of one person. Several may speak of the same one: then the strictest
    counts. Nothing is kept that decides nothing: no real name, no address."""

    id: str
    """Ours, given once and never to anyone else (RFC 7643, 3.1)."""
    source: str
    user_name: str
    """Unique within its source, without regard to case (RFC 7643, 4.1.1)."""
    external_id: str = ""
    """The source's own, unchanging name; compared exactly. Empty where it has none."""
    active: bool = True
    groups: frozenset[str] = frozenset()
    """Names of groups, where the source tells them with the person. See also ``Group``."""
    created: int = 0
    learned: int = 0
    """When the source last said something new: milliseconds since the Unix epoch."""
    deleted: int = 0
    """Since when the source has this one no more; 0 while it does. Deleted is inactive too: the row
    stays, so that nobody goes on under its names."""
    version: int = 0
    """Rises with every change of any person or group. 0: not stored yet."""
    employee: str = ""
    """Employee number (RFC 7643, 4.3): two accounts with the same are one person's, whatever they
    are called. No credential ever names it. Empty where the source tells none."""

    @property
    def names(self) -> frozenset[str]:
        """What ``Principal.subject`` may be for this one."""
        return frozenset({self.user_name, self.external_id} - {""})


class Group(msgspec.Struct, frozen=True):
    """A group that its source tells apart from the persons in it."""

    id: str
    source: str
    name: str
    external_id: str = ""
    members: frozenset[str] = frozenset()
    """Ids of persons."""
    created: int = 0
    learned: int = 0
    deleted: int = 0
    version: int = 0


class Listed(msgspec.Struct, frozen=True):
    """One person, as a directory that is read by us lists them."""

    user_name: str
    external_id: str = ""
    active: bool = True
    groups: frozenset[str] = frozenset()
    employee: str = ""


class DirectoryDown(Exception):
    """A directory cannot be read to its end. The text names it, and never its secret."""


@lru_cache(maxsize=16_384)
def folded(name: str) -> str:
    """Two names that fold alike are taken for one person's where that is the stricter way."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())
