import json

import pytest

from lockgate.model import Envelope
from lockgate.upstream.deadline import Deadline
from lockgate.upstream.running import Running, severity
from support.fake_link import Ear


def running(ear: Ear, envelope: Envelope) -> Running:
    return Running(1, ear, envelope, Deadline(60), "legacy")


def tell(one: Running, *progress: object) -> None:
    for said in progress:
        one.progress(json.dumps({"progressToken": 1, "progress": said, "x": 1.50}).encode())


def test_progress_must_grow_and_loses_our_token() -> None:
    ear = Ear()
    one = running(ear, Envelope(progress=True))
    tell(one, 1, 1, 0.5, True, "2", None, 1.5)
    assert ear.notes == [
        ("notifications/progress", {"progress": 1, "x": 1.5}),
        ("notifications/progress", {"progress": 1.5, "x": 1.5}),
    ]


def test_who_asked_for_no_progress_gets_none() -> None:
    ear = Ear()
    tell(running(ear, Envelope()), 1)
    assert ear.notes == []


def test_after_the_end_nothing_is_passed_on() -> None:
    ear = Ear()
    one = running(ear, Envelope(progress=True, log_level="debug"))
    one.end()
    tell(one, 1)
    one.log(b'{"level":"error"}')
    assert ear.notes == []


@pytest.mark.parametrize(
    ("wanted", "heard"),
    [
        ("debug", ["debug", "notice", "emergency"]),
        ("notice", ["notice", "emergency"]),
        ("emergency", ["emergency"]),
        ("", []),
    ],
)
def test_messages_are_passed_on_from_the_wanted_level(wanted: str, heard: list[str]) -> None:
    ear = Ear()
    one = running(ear, Envelope(log_level=wanted))
    for level in (b'"debug"', b'"notice"', b'"emergency"', b'"loud"', b"7", b"null"):
        one.log(b'{"level":%b}' % level)
    one.log(b"{}")
    assert [told["level"] for _, told in ear.notes] == heard


def test_the_severity_of_what_names_no_level_is_below_all() -> None:
    assert severity(b'{"level":"debug"}') == 0
    assert severity(b'{"level":["debug"]}') == -1


async def test_its_deadline_stands_still_while_it_asks() -> None:
    ear, deadline = Ear(), Deadline(60)
    async with deadline:
        said = await Running(1, ear, Envelope(), deadline, "legacy").ask("roots/list", b"{}")
    assert said.raw == b'{"roots":[]}'
    assert ear.asks == [("roots/list", {}, "legacy")]
