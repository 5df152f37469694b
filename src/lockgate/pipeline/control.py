"""The one shape every control has."""

from typing import Any, Protocol, TypeVar

from lockgate.model import FactKey, Facts, Verdict

S_contra = TypeVar("S_contra", contravariant=True)


class Control(Protocol[S_contra]):
    """Pure: same subject and facts, same verdict. No I/O, no clock, no randomness.

    The subject is a ``Call`` on the way in, a ``Reply`` or ``Notice`` on the way out, and a
    ``Catalogue`` for lists. A control that raises has denied.
    """

    @property
    def id(self) -> str:
        """Room and noun: ``policy.quota``."""
        ...

    @property
    def needs(self) -> frozenset[FactKey[Any]]:
        """What must be gathered before ``check`` is asked."""
        ...

    def check(self, subject: S_contra, facts: Facts) -> Verdict: ...
