"""What an operation raises when it will not or cannot be done."""

from collections.abc import Sequence

from lockgate.model.problem import Problem


class Refused(Exception):
    """One sentence why, and what to do. Never holds a secret."""

    def __init__(self, why: str, remedy: str = "") -> None:
        super().__init__(why, remedy)
        self.why = why
        self.remedy = remedy


class Misconfigured(Exception):
    """The configuration cannot be used."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(p) for p in problems))
        self.problems = tuple(problems)
