"""Nothing in the project tells where it was written or where its packages were fetched."""

import re
from collections.abc import Iterator

from checks.tree import Problem, Tree

# Spelt in pieces, so that this file does not find itself.
_MACHINE = "|".join("/" + name + "/" for name in ("work", "root", "tmp/w"))
_HOSTS = "|".join(
    (r"registry\." + "npmjs", r"pypi\." + "org", r"pypi\." + "python", "files." + "pythonhosted",
     r"proxy\.golang" + r"\.org", r"static\.crates" + r"\.io", r"deb\.debian" + r"\.org"),
)  # fmt: skip
_PATTERN = re.compile(rf"(?<![\w.~-])(?:{_MACHINE})|{_HOSTS}")


def find(tree: Tree) -> Iterator[Problem]:
    for name, path in tree.files.items():
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            found = _PATTERN.search(line)
            if found:
                yield Problem(f"{name}:{number}", f"names {found[0]!r}")
