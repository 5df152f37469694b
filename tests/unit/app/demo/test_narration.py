from io import StringIO

import msgspec
import pytest

from lockgate.app.demo.narration import (
    Narrator,
    NotAsTold,
    Telling,
    because,
    caller_of,
    counted,
    listed,
    row_line,
)
from lockgate.model import AuditEvent, Recorded


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def _row(kind: str = "call.intent") -> Recorded:
    header = {"method": "tools/call", "upstream": "clinic", "target": "refund"}
    slots = {"actor": b'{"subject":"bob","agent":"claude-code"}'}
    return Recorded(7, AuditEvent("e", "c", kind, 0, "deny", "policy.no-rule", header, slots))  # type: ignore[arg-type]


def test_a_claim_that_is_not_true_ends_the_scene() -> None:
    out = StringIO()
    told = Telling(Narrator(out))
    told.that("Two   and two is four.", True)
    with pytest.raises(NotAsTold, match="five"):
        told.that("Two and two is five.", False)
    assert told.said == ["Two and two is four."]
    assert told.checked == 1
    assert "ok  Two   and" in out.getvalue()
    assert "NO  Two and two is five." in out.getvalue()


def test_sentences_quotes_and_rows_stand_under_the_claim() -> None:
    out = StringIO()
    told = Telling(Narrator(out))
    told.say("Bob asks.")
    told.agent_reads("No.")
    told.show("because", "a rule")
    told.rows([_row(), _row("call.outcome")])
    assert told.said == ["Bob asks."]
    assert told.checked == 0
    assert [row.split()[1] for row in told.journal] == ["call.intent", "call.outcome"]
    lines = out.getvalue().splitlines()
    assert lines[1].strip() == 'agent    reads: "No."'
    intent = next(line for line in lines if "call.intent" in line)
    outcome = next(line for line in lines if "call.outcome" in line)
    assert intent.index("call.intent") == outcome.index("call.outcome")


@pytest.mark.parametrize(
    ("actor", "told"),
    [
        (b'{"subject":"bob"}', "bob"),
        (b'{"subject":"bob","agent":"desk","workload":""}', "bob via desk"),
        (b'{"subject":"bob","agent":"desk","workload":"spiffe://x/h"}', "bob via desk on spiffe://x/h"),
        (b'{"subject":"report","agent":"","workload":"nightly"}', "report on nightly"),
    ],
)  # fmt: skip
def test_who_called_is_the_person_the_agent_and_the_program(actor: bytes, told: str) -> None:
    event = msgspec.structs.replace(_row().event, slots={"actor": actor})
    assert caller_of(Recorded(7, event)) == told


def test_the_rules_that_decided_are_those_of_the_verdicts_with_its_reason() -> None:
    verdicts = [
        {"control": "policy.cedar", "reason": "policy.no-rule", "because": ["b", "a"]},
        {"control": "quota", "reason": "quota.ok"},
    ]
    event = msgspec.structs.replace(_row().event, header={"verdicts": verdicts})
    assert because(Recorded(7, event)) == "policy.cedar: a, b"


def test_a_row_says_who_asked_what_and_why_it_ended_so() -> None:
    assert row_line(_row()).split() == [
        "7", "call.intent", "deny", "policy.no-rule", "tools/call", "clinic/refund", "bob"
    ]  # fmt: skip


def test_colour_only_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal, pipe = Terminal(), StringIO()
    for out in (terminal, pipe):
        Narrator(out).claim("So it is.", true=True)
    assert "\x1b[" in terminal.getvalue()
    assert "\x1b" not in pipe.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    plain = Terminal()
    Narrator(plain).claim("So it is.", true=True)
    assert "\x1b" not in plain.getvalue()


def test_what_servers_say_cannot_steer_the_terminal() -> None:
    out = StringIO()
    narrator = Narrator(out)
    narrator.sentence("a\x1b[2Jb")
    narrator.verbatim("c\x1b]0;x")
    narrator.heading("d\x07")
    assert "\x1b" not in out.getvalue()
    assert "\x07" not in out.getvalue()


def test_quiet_prints_nothing() -> None:
    out = StringIO()
    narrator = Narrator(out, quiet=True)
    narrator.heading("a", "b")
    narrator.omission("c")
    narrator.verbatim("d")
    assert out.getvalue() == ""


def test_counting_and_listing() -> None:
    assert listed("bca") == "a, b, c"
    assert listed("abcde", most=3) == "a, b, c and 2 more"
    assert (counted(1, "tool"), counted(2, "tool")) == ("1 tool", "2 tools")
