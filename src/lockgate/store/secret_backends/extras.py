"""Packages that only some deployments have."""

from collections.abc import Callable
from typing import Any

Load = Callable[[str], Any]
"""A module by name. Raises ``ReferenceBroken`` that names the extra where it is not installed."""
