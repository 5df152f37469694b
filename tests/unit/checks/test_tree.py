import ast
from pathlib import Path

from checks.tree import Module, dotted
from support.small_tree import plant


def module(text: str) -> Module:
    return Module("src/lockgate/a.py", text, ast.parse(text))


def test_files_are_those_of_the_project_only(tmp_path: Path) -> None:
    tree = plant(
        tmp_path,
        {
            "Makefile": "",
            ".git": "",
            ".ci/run": "",
            "src/lockgate/a.py": "",
            "src/lockgate/__pycache__/a.py": "",
            "tests/node/node_modules/x.js": "",
            ".venv/lib/b.py": "",
            "src/lockgate/logo.png": "",
        },
    )
    assert set(tree.files) == {"Makefile", ".ci/run", "src/lockgate/a.py"}


def test_functions_carry_their_dotted_names() -> None:
    text = "class A:\n def f(self):\n  def g(): ...\nif 1:\n async def h(): ...\n"
    assert [name for name, _ in module(text).functions] == ["A.f", "A.f.g", "h"]


def test_a_node_belongs_to_the_innermost_function() -> None:
    found = module("def f():\n def g():\n  x = 1\n").owners
    assigned = next(n for n in found if isinstance(n, ast.Assign))
    assert found[assigned] == "f.g"


def test_dotted_is_empty_for_anything_but_names() -> None:
    names = [dotted(ast.parse(text, mode="eval").body) for text in ("a.b.c", "a", "a().b", "1")]
    assert names == ["a.b.c", "a", "", ""]
