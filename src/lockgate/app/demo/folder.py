"""The demo's own deployment in one directory: configuration, policies, keys and things to read.

Nothing in it is special: it is what ``lockgate init``, an editor and ``lockgate keys create`` make.
"""

import os
import secrets
import subprocess
import tempfile
from importlib.resources import files
from pathlib import Path

import msgspec

from lockgate.app.demo.upstreams import ACCESS_LOG, Behind, Found, Missing, yaml_of
from lockgate.app.office import this_machine
from lockgate.app.stamps import now_ms
from lockgate.app.stores import open_stores
from lockgate.control_plane.services.acting import Acting, Actor
from lockgate.control_plane.services.files import PRIVATE, make_private_dir, write_new
from lockgate.control_plane.services.keys import KeyOrder, Keys
from lockgate.control_plane.services.refused import Refused
from lockgate.model.key import KeyKind

CALLS_PER_MINUTE, BURST = 120, 100
KEY_DAYS = 30
NOTICE = "Ward round at nine. Visitors from two to eight.\n"


class Caller(msgspec.Struct, frozen=True):
    """Somebody with a key."""

    name: str
    kind: KeyKind
    role: str
    agent: str
    owner: str

    @property
    def holder(self) -> str:
        """The principal's id (``model.Principal.id``)."""
        return f"{'person' if self.kind == 'personal' else self.kind}:{self.name}"


ALICE = Caller("alice", "personal", "doctor", "claude-desktop", "alice")
BOB = Caller("bob", "personal", "billing", "claude-code", "bob")
REPORTS = Caller("nightly-report", "service", "reports", "", "carol")
CALLERS = (ALICE, BOB, REPORTS)


class Folder(msgspec.Struct, frozen=True):
    """The directory once it is filled."""

    root: Path
    upstreams: tuple[Behind, ...]
    missing: tuple[Missing, ...]

    @property
    def config(self) -> Path:
        return self.root / "lockgate.yaml"

    @property
    def access_log(self) -> Path:
        return self.root / ACCESS_LOG

    @property
    def repository(self) -> Path:
        return self.root / "repository"

    def has(self, upstream: str) -> bool:
        return any(one.name == upstream for one in self.upstreams)

    def key_file(self, caller: Caller) -> Path:
        return self.root / "keys" / f"{caller.name}.key"

    def key(self, caller: Caller) -> str:
        return self.key_file(caller).read_text().strip()


def make_root(wanted: Path | None) -> Path:
    """An empty directory that only this user may enter. Raises ``Refused`` for one in use."""
    if wanted is None:
        return Path(tempfile.mkdtemp(prefix="lockgate-demo-"))
    root = wanted.expanduser().absolute()
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        remedy = (
            f"Choose another. To open a demo that is kept: lockgate -c {root}/lockgate.yaml serve"
        )
        raise Refused(f"{root} is in use.", remedy)
    make_private_dir(root)
    return root


def fill(root: Path, found: Found, port: int) -> Folder:
    """Write everything. Raises ``Refused`` and ``StoreDown``."""
    folder = Folder(root, *found)
    write_new(folder.config, configuration(folder.upstreams, port), PRIVATE)
    for policy in (files("lockgate.app.demo") / "policies").iterdir():
        write_new(root / "policies" / policy.name, policy.read_text(encoding="utf-8"))
    write_new(root / "files" / "notice.txt", NOTICE)
    if folder.has("git"):
        _make_repository(folder.repository)
    _make_keys(folder)
    return folder


def configuration(upstreams: tuple[Behind, ...], port: int) -> str:
    """``lockgate.yaml``."""
    return f"""\
# Written by `lockgate demo`: a whole configuration, as you would write your own.

listen:
  host: 127.0.0.1
  port: {port}

data_dir: data
policies: policies

limits:                     # for each principal
  calls_per_minute: {CALLS_PER_MINUTE}
  burst: {BURST}

approvals:
  factors:
    acting-person:          # named in policies/clinic.cedar
      confirm: true

upstreams:
""" + ("".join(map(yaml_of, upstreams)) or "  {}\n")


def _make_keys(folder: Folder) -> None:
    make_private_dir(folder.root / "keys")
    stores = open_stores(folder.root / "data")
    try:
        user = this_machine().user
        actor = Actor(f"os:{user}", "cli", user)
        acting = Acting(actor, stores.events, now_ms, secrets.token_bytes)
        keys = Keys(stores.keys, acting, stores.secrets.pepper())
        for who in CALLERS:
            subject = "" if who.kind == "personal" else who.name
            made = keys.create(
                KeyOrder(who.kind, who.owner, KEY_DAYS, subject, (who.role,), who.agent)
            )
            write_new(folder.key_file(who), made.text + "\n", PRIVATE)
    finally:
        stores.engine.dispose()


def _make_repository(place: Path) -> None:
    place.mkdir()
    run_git(place, "init", "--quiet")
    for name, text in (("rota.txt", "Monday: carol\n"), ("menu.txt", "Monday: soup\n")):
        (place / name).write_text(text)
        run_git(place, "add", name)
        run_git(place, "commit", "--quiet", "--message", f"Add {name}")


def run_git(place: Path, *arguments: str) -> str:
    """Git as if on a fresh machine, whoever runs the demo. Raises ``Refused``."""
    ours = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    for part in ("AUTHOR", "COMMITTER"):
        ours |= {f"GIT_{part}_NAME": "Carol", f"GIT_{part}_EMAIL": "carol@clinic.example"}
    env = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")} | ours
    try:
        return subprocess.run(
            ["git", "-C", str(place), *arguments], env=env, check=True, text=True,
            capture_output=True, timeout=30,
        ).stdout  # fmt: skip
    except (OSError, subprocess.SubprocessError) as error:
        raise Refused(f"git {arguments[0]} failed: {error}") from error
