from pathlib import Path

from lockgate.app.settings_file import load

GOOD = """
# A comment.
listen: {port: 9000}
policies: rules
limits:
  message_bytes: 1 MiB
upstreams:
  git:
    command: mcp-server-git
    args: [--repository, /srv/repo]
    env: {GIT_TOKEN: "file:secrets/git", PLAIN: x}
    cwd: work
    data_classes: [source]
    tools:
      git_diff: {arguments: {target: string}}
      git_reset: {hold: owner}
  remote:
    url: https://mcp.example/mcp
    headers: {Authorization: "Bearer env:REMOTE"}
"""


def test_paths_are_taken_from_where_the_file_is(tmp_path: Path) -> None:
    file = tmp_path / "lockgate.yaml"
    file.write_text(GOOD)
    made = load(file)
    assert made.data_dir == str(tmp_path / "data")
    assert made.policies == (str(tmp_path / "rules"),)
    assert made.upstreams["git"].env["GIT_TOKEN"] == f"file:{tmp_path}/secrets/git"
    assert made.upstreams["git"].cwd == str(tmp_path / "work")
    assert made.upstreams["remote"].headers["Authorization"] == "Bearer env:REMOTE"


def test_the_database_may_be_named_in_a_file_beside(tmp_path: Path) -> None:
    file = tmp_path / "lockgate.yaml"
    file.write_text("database: file:secrets/db")
    assert load(file).database == f"file:{tmp_path}/secrets/db"


def test_files_of_certificates_are_found_from_the_settings_file(tmp_path: Path) -> None:
    file = tmp_path / "lockgate.yaml"
    file.write_text("listen: {tls: {certificate: a/c.pem, key: /k.pem, client_ca: ca.pem}}")
    tls = load(file).listen.tls
    assert tls is not None
    assert tls.files == {
        "certificate": str(tmp_path / "a/c.pem"),
        "key": "/k.pem",
        "client_ca": str(tmp_path / "ca.pem"),
    }


def test_the_secret_of_the_console_is_looked_for_beside_the_file(tmp_path: Path) -> None:
    text = """
console:
  issuer: https://login.example
  origin: https://gate.example
  client_secret: file:secrets/console
"""
    place = tmp_path / "lockgate.yaml"
    place.write_text(text)
    assert load(place).console.client_secret == f"file:{tmp_path}/secrets/console"


def test_keys_and_secrets_of_issuers_are_looked_for_beside_the_file(tmp_path: Path) -> None:
    text = """
issuers:
  corp:
    url: https://issuer.example
    keys_file: keys.json
    introspection: {url: "https://issuer.example/i", client: gate, secret: "file:secrets/corp"}
"""
    place = tmp_path / "lockgate.yaml"
    place.write_text(text)
    corp = load(place).issuers["corp"]
    assert corp.keys_file == f"{tmp_path}/keys.json"
    assert corp.introspection is not None
    assert corp.introspection.secret == f"file:{tmp_path}/secrets/corp"
