from pathlib import Path

import pytest

from lockgate.app.demo.folder import ALICE, CALLERS, REPORTS, fill, make_root, run_git
from lockgate.app.demo.upstreams import Behind, find_upstreams
from lockgate.app.office import LocalOffice
from lockgate.app.settings_file import load
from lockgate.control_plane.services.refused import Refused


def test_what_it_writes_is_a_deployment_like_any_other(tmp_path: Path) -> None:
    folder = fill(tmp_path / "demo", find_upstreams(tmp_path, lambda p: f"/bin/{p}"), 4711)
    office = LocalOffice(folder.config)
    assert office.check() == ()
    seen = office.check_policies()
    assert (seen.count, seen.problems) == (2, ())
    assert load(folder.config).listen.port == 4711
    with office.open() as records:
        keys = {record.subject: record for record in records.keys.list()}
        assert len(records.events.tail(10)) == len(CALLERS)
    assert keys.keys() == {who.name for who in CALLERS}
    assert {who.holder for who in CALLERS} == {
        "person:alice", "person:bob", "service:nightly-report"
    }  # fmt: skip
    assert keys["alice"].roles == {"doctor"}
    assert (keys["nightly-report"].kind, keys["nightly-report"].owner) == ("service", "carol")


def test_keys_and_configuration_are_private(tmp_path: Path) -> None:
    folder = fill(tmp_path / "demo", ((), ()), 1)
    for file in (folder.config, *(folder.key_file(who) for who in CALLERS)):
        assert file.stat().st_mode & 0o077 == 0, file
    assert folder.key(ALICE) != folder.key(REPORTS)
    assert not folder.has("git")
    assert not folder.repository.exists()


def test_the_repository_is_carols_whoever_runs_the_demo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    folder = fill(tmp_path / "demo", ((Behind("git", "", ("git",)),), ()), 1)
    log = run_git(folder.repository, "log", "--format=%an %s")
    assert log.splitlines() == ["Carol Add menu.txt", "Carol Add rota.txt"]
    with pytest.raises(Refused, match="git rev-parse failed"):
        run_git(folder.repository, "rev-parse", "nothing")


def test_a_directory_in_use_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("mine")
    with pytest.raises(Refused, match="in use"):
        make_root(tmp_path)
    assert (tmp_path / "letter").read_text() == "mine"


def test_an_empty_or_new_directory_is_taken_and_private(tmp_path: Path) -> None:
    for wanted in (tmp_path / "empty", tmp_path / "new" / "deep"):
        if wanted.name == "empty":
            wanted.mkdir()
        assert make_root(wanted) == wanted
        assert wanted.stat().st_mode & 0o077 == 0


def test_a_kept_demo_says_how_to_open_it_again(tmp_path: Path) -> None:
    (tmp_path / "lockgate.yaml").touch()
    with pytest.raises(Refused) as refused:
        make_root(tmp_path)
    assert "lockgate.yaml serve" in refused.value.remedy
