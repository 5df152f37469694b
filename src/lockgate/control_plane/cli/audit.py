"""``lockgate audit``: what happened."""

from collections.abc import Collection, Mapping
from typing import Annotated, Any

import orjson
import typer

from lockgate.audit.ports import EventStore
from lockgate.audit.reader import SLOTS, Story, export, find_story, timestamp
from lockgate.control_plane.cli.office import Records, office_of, records_of, sees_contents
from lockgate.control_plane.cli.output import refuse, say, say_json
from lockgate.control_plane.services.duties import FOR_READERS
from lockgate.model import AuditEvent, Recorded, Slot

audit = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Read the journal.")

_POLL_SECONDS = 0.5
_BATCH = 500


@audit.command()
def tail(
    ctx: typer.Context,
    lines: Annotated[int, typer.Option("-n", "--lines", min=0, max=100_000, help="How many.")] = 20,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until ^C.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
) -> None:
    """Show the newest events, oldest first.

    Each line: time, kind, effect, reason, who, what, call id. With --json also headers and slots;
    with roles enforced, contents (arguments, answers, whom it is about) take privacy_officer.

    \b
    Examples:
      lockgate audit tail -n 50
      lockgate audit tail --follow --json | jq .reason

    Exit codes: 0 shown, 2 bad usage, 3 the journal cannot be read.
    """
    office = office_of(ctx)
    with records_of(ctx) as records:
        rows = records.events.tail(lines) if lines else records.events.tail(1)
        last = rows[-1].seq if rows else 0
        teller = _Teller(records.events, _slots(ctx, records), as_json=as_json)
        for row in rows if lines else ():
            teller.say_row(row)
        while follow and office.pause(_POLL_SECONDS):
            last = teller.say_after(last)


@audit.command()
def show(
    ctx: typer.Context,
    some_id: Annotated[str, typer.Argument(metavar="CALL_OR_EVENT_ID", help="As a refusal says.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show everything on record about one call.

    With roles enforced, contents (arguments, answers, whom it is about) take privacy_officer.

    \b
    Examples:
      lockgate audit show 0199c2b0e1aa4f6d
      lockgate audit show 0199c2b0e1aa4f6d --json

    Exit codes: 0 shown, 2 bad usage, 3 nothing on record, or the journal cannot be read.
    """
    with records_of(ctx) as records:
        story, slots = find_story(records.events, some_id), _slots(ctx, records)
    if story is None:
        refuse(f"Nothing is on record under {some_id}.", "`lockgate audit tail` names calls.")
    if as_json:
        say_json({"call": story.call, "state": story.state, "lasted_ms": story.lasted_ms,
                  "events": [orjson.loads(export(row, slots)) for row in story.rows]})  # fmt: skip
        return
    _tell(story, slots)


def _slots(ctx: typer.Context, records: Records) -> Collection[Slot]:
    return SLOTS if sees_contents(ctx, records) else FOR_READERS


class _Teller:
    """One line a row. An outcome does not repeat who called: its intent says so."""

    def __init__(self, events: EventStore, slots: Collection[Slot], *, as_json: bool) -> None:
        self._events = events
        self._slots = slots
        self._as_json = as_json
        self._callers: dict[str, str] = {}

    def say_after(self, last: int) -> int:
        while rows := self._events.tail(_BATCH, last):
            for row in rows:
                self.say_row(row)
            last = rows[-1].seq
        return last

    def say_row(self, row: Recorded) -> None:
        if self._as_json:
            typer.echo(export(row, self._slots).decode())
            return
        event = row.event
        what = " ".join(str(event.header[k]) for k in ("action", "method", "upstream", "target")
                        if event.header.get(k))  # fmt: skip
        say(f"{timestamp(event.at)}  {event.kind:<14} {event.effect:<6} {event.reason:<22} "
            f"{self._caller(event):<16} {what}  {event.call}".rstrip())  # fmt: skip

    def _caller(self, event: AuditEvent) -> str:
        if event.kind == "call.intent":
            self._callers[event.call] = _who(event)
        elif event.kind == "call.outcome":
            return self._callers.pop(event.call, None) or self._looked_up(event.call)
        return _who(event)

    def _looked_up(self, call: str) -> str:
        return next((who for row in self._events.by_call(call) if (who := _who(row.event))), "")


def _tell(story: Story, slots: Collection[Slot]) -> None:
    first = story.rows[0].event
    say(f"call    {story.call or '-'}", f"state   {story.state}")
    for row in story.rows:
        event = row.event
        say("", f"{timestamp(event.at)}  {event.kind}", f"  id      {event.id}",
            f"  effect  {event.effect} ({event.reason})")  # fmt: skip
        _tell_tree(event.header)
        for name, data in event.slots.items():
            text = data.decode(errors="backslashreplace")
            say(f"  {name:<7} {text if name in slots else '(withheld: takes privacy_officer)'}")
    if story.state == "held" and story.rows[-1].event.kind == "admin.changed":
        say("", "It got its yes, which the same call uses up when it is made again.")
    elif story.state == "held":
        say("", f"It waits for a person's yes: lockgate approvals approve {story.call}")
    elif story.state == "unfinished":
        say("", "There is no outcome: the call runs still, or the gateway ended while it ran and "
            "the upstream may have acted.")  # fmt: skip
    elif story.call:
        say("", f"lasted  {story.lasted_ms} ms, who {_who(first) or '-'}")


def _tell_tree(header: Mapping[str, Any]) -> None:
    for name, value in header.items():
        if value in ("", None, [], {}):
            continue
        text = value if isinstance(value, str) else orjson.dumps(value).decode()
        say(f"  {name:<7} {text}")


def _who(event: AuditEvent) -> str:
    data = event.slots.get("actor", b"")
    try:
        actor = orjson.loads(data)
    except orjson.JSONDecodeError:
        return ""
    if not isinstance(actor, dict):
        return ""
    return str(actor.get("subject") or actor.get("account") or actor.get("identity") or "")
