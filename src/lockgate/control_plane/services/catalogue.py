"""Changes of the configuration file that somebody else has to agree to.

The question holds the exact edit, bound to the file as it was. It is applied by a command on the
file's own machine, not by whoever votes: the last yes may come from a console on another machine,
whose account cannot write the file, and should not be able to.
"""

import difflib
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import orjson

from lockgate.approval import engine
from lockgate.approval.approvers import name_of
from lockgate.approval.rules import KEPT_MS
from lockgate.control_plane.services.adoption import SecretFile
from lockgate.control_plane.services.approvals import Approvals, Shown
from lockgate.control_plane.services.files import (
    PRIVATE,
    make_private_dir,
    read_text,
    write_new,
    write_whole,
)  # fmt: skip
from lockgate.control_plane.services.refused import Misconfigured, Refused
from lockgate.control_plane.services.subjects import ConfigEdit, read_edit
from lockgate.model.inquiry import Inquiry, Need
from lockgate.model.problem import Problem

FACTOR = "catalogue"
"""Where ``approvals.factors`` names it, changes of the catalogue are asked for."""
NODE = "command"
"""What a question says of who carried it out."""


class Catalogue:
    """``config``: the configuration file of this machine; ``secrets``: where imported secrets are
    kept; ``check``: what is wrong with a text in the file's place. Raises ``Refused``,
    ``Misconfigured`` and ``StoreDown``."""

    def __init__(
        self,
        approvals: Approvals,
        config: Path,
        secrets: Path,
        check: Callable[[str], Sequence[Problem]],
    ) -> None:
        self._approvals = approvals
        self._config = config
        self._secrets = secrets
        self._check = check

    def propose(self, text: str, secrets: Sequence[SecretFile] = ()) -> Inquiry:
        """Ask for ``text`` as the new file. Nothing is written."""
        before = read_text(self._config)
        if text == before:
            raise Refused("Nothing would change.")
        self._checked(text)
        path, kept = str(self._config.resolve()), tuple((s.name, s.value) for s in secrets)
        edit = ConfigEdit(path, _hash(before), text, _diff(before, text, self._config.name), kept)
        return self._approvals.ask(self._inquiry(edit), msgspec.msgpack.encode(edit))

    def apply(self, id: str) -> Inquiry:
        """Write what was approved, once. Where the file is another one by now it is superseded."""
        seen = self._approved(id)
        edit = self._edit(seen)
        one, now = seen.asked.inquiry, self._approvals.now_ms()
        if _hash(read_text(self._config)) != edit.base:
            self._approvals.put("superseded", engine.supersede(one, now))
            raise Refused("The file was changed since this was asked.", "Propose it again.")
        self._checked(edit.text)
        self._approvals.record("applied", one)
        if not self._approvals.store.claim([one.id], NODE, now):
            raise Refused("Somebody else applied it, or took it back, at the same moment.")
        done = False
        try:
            self._write(edit)
            done = True
        finally:
            why = "approval.ran" if done else "approval.interrupted"
            over = self._finish(one.id, why, good=done)
        return over

    def _checked(self, text: str) -> None:
        problems = tuple(self._check(text))
        if problems:
            raise Misconfigured(problems)

    def _inquiry(self, edit: ConfigEdit) -> Inquiry:
        now, rule = self._approvals.now_ms(), self._approvals.approvers.rules.of(FACTOR)
        mine = self._approvals.actor.identity
        body = orjson.dumps([edit.path, edit.base, edit.text, edit.secrets])
        return Inquiry(
            id=self._approvals.random_bytes(16).hex(), kind="catalogue",
            digest=hashlib.sha256(b"lockgate/catalogue/v1\0" + body).hexdigest(),
            title=f"configuration {self._config.name}", holder=mine, excluded=(name_of(mine),),
            needs=(Need(FACTOR, rule.count),), created=now, expires=now + rule.pending,
            window=rule.window, kept_until=now + rule.pending + rule.window + KEPT_MS,
        )  # fmt: skip

    def _approved(self, id: str) -> Shown:
        seen = self._approvals.show(id)
        one = seen.asked.inquiry
        if one.kind != "catalogue":
            raise Refused(f"{id} is no change of the configuration.")
        if one.state != "approved":
            raise Refused(f"{id} is {one.state}; only what is approved is applied.")
        if not self._approvals.good(seen.asked):
            raise Refused("Whoever approved it may not do so any more.", "Propose it again.")
        return seen

    def _edit(self, seen: Shown) -> ConfigEdit:
        payload = self._approvals.store.payload(seen.asked.inquiry.id)
        if payload is None:
            raise Refused("What was asked is kept no more.", "Propose it again.")
        edit = read_edit(payload)
        if edit.path != str(self._config.resolve()):
            raise Refused(f"It changes {edit.path}, which is another file.",
                          "Run this where that file is, with --config.")  # fmt: skip
        return edit

    def _write(self, edit: ConfigEdit) -> None:
        keep_secrets(self._secrets, [SecretFile(*one) for one in edit.secrets])
        write_whole(self._config, edit.text)

    def _finish(self, id: str, why: str, *, good: bool) -> Inquiry:
        asked = self._approvals.store.get(id)
        if asked is None:
            raise Refused("The question is gone.")
        over = engine.finish(asked.inquiry, self._approvals.now_ms(), why=why, good=good)
        self._approvals.put(over.state, over)
        return over


def keep_secrets(folder: Path, secrets: Sequence[SecretFile]) -> None:
    """Each in a private file. Raises ``Refused`` where another secret has the name."""
    known = [secret for secret in secrets if secret.value]
    if known:
        make_private_dir(folder.parent)
        make_private_dir(folder)
    for secret in known:
        path = folder / secret.name
        if not path.exists():
            write_new(path, secret.value, PRIVATE)
        elif read_text(path) != secret.value:
            raise Refused(f"{path} exists and holds another secret.",
                          "Remove it if nothing uses it.")  # fmt: skip


def _diff(before: str, after: str, name: str) -> str:
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), f"{name} now",
                                 f"{name} proposed", lineterm="")  # fmt: skip
    return "\n".join(lines)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
