"""Something wrong in what an operator wrote, said so that it can be mended."""

import msgspec


class Problem(msgspec.Struct, frozen=True):
    """One mistake in one place. Holds no secret: ``found`` is left empty where it might."""

    what: str
    """One sentence."""
    file: str = ""
    line: int = 0
    """Counted from 1; 0 where the mistake has no place in the file."""
    column: int = 0
    path: str = ""
    """Dotted: ``upstreams.git.timeout_seconds``."""
    found: str = ""
    expected: str = ""
    remedy: str = ""
    """What to do about it."""

    @property
    def place(self) -> str:
        parts = [self.file or "configuration"]
        if self.line:
            parts += [str(self.line), str(self.column)]
        return ":".join(parts)

    def __str__(self) -> str:
        path = f"{self.path}: " if self.path else ""
        lines = [f"{self.place}: {path}{self.what}"]
        if self.found or self.expected:
            lines.append(f"    found {self.found or 'something else'}; expected {self.expected}"
                         if self.expected else f"    found {self.found}")  # fmt: skip
        if self.remedy:
            lines.append(f"    {self.remedy}")
        return "\n".join(lines)
