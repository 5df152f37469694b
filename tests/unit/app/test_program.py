import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lockgate.app.listening import listen
from lockgate.app.program import program

PORT = "listen: {port: 0}\n"


def type_(*words: str) -> tuple[int, str]:
    """Exit code, and what was said on both streams together."""
    found = CliRunner().invoke(program, [*words])
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found.exit_code, " ".join(found.output.split())


def serve(folder: Path, config: str, policy: bytes = b"") -> tuple[int, str]:
    (folder / "lockgate.yaml").write_text(config)
    (folder / "policies").mkdir()
    (folder / "policies" / "a.cedar").write_bytes(policy)
    return type_("-c", str(folder / "lockgate.yaml"), "serve")


@pytest.mark.parametrize(
    ("config", "policy", "said"),
    [
        ("lisen: 1\n", b"", "The configuration cannot be used."),
        (PORT, b"permit(nonsense);", "The policies cannot be used."),
        (PORT, b"\xff", "is not UTF-8 text"),
        (PORT + "upstreams: {a: {command: x, env: {T: 'env:NOT_SET'}}}", b"", "NOT_SET is not set"),
        (PORT + "policies: none.cedar", b"", "Cannot start: No such file or directory"),
        (PORT + "data_dir: lockgate.yaml", b"", "`lockgate doctor` looks into it."),
        (PORT + "upstreams:\n  a: {command: x, tools: {t: {arguments: {n: long}}}}\n"
         "  b: {command: x, tools: {t: {arguments: {n: string}}}}\n", b"", "'n'"),
    ],
)  # fmt: skip
def test_what_cannot_be_served_is_said_and_what_to_do(
    tmp_path: Path, config: str, policy: bytes, said: str
) -> None:
    code, output = serve(tmp_path, config, policy)
    assert code == 3
    assert said in output
    assert "lockgate config check" in output or "lockgate doctor" in output
    assert "Traceback" not in output


def test_an_address_that_is_taken_is_said_to_be(tmp_path: Path) -> None:
    with listen("127.0.0.1", 0) as taken:
        code, output = serve(tmp_path, f"listen: {{port: {taken.getsockname()[1]}}}\n")
    assert code == 3
    assert "Cannot start: Address already in use" in output


def test_a_refused_start_leaves_no_socket_open(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    serve(tmp_path, f"listen: {{port: {port}}}\n", b"permit(nonsense);")
    with listen("127.0.0.1", port):
        pass


def test_help_for_the_shim_is_its_own() -> None:
    code, output = type_("stdio", "--help")
    assert code == 0
    assert "--key-file file that holds your personal key" in output
