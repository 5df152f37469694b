"""One question, as the command line shows it."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from lockgate.approval.rules import ApprovalRules
from lockgate.audit.reader import timestamp
from lockgate.control_plane.cli.output import say
from lockgate.control_plane.services.approval_history import Earlier, History
from lockgate.control_plane.services.approvals import Shown
from lockgate.model.inquiry import Inquiry

_SHOWN = 5
"""Earlier questions of each."""


def as_plain(seen: Shown) -> dict[str, Any]:
    """Without arguments."""
    one = seen.asked.inquiry
    return {
        "id": one.id, "kind": one.kind, "what": one.title, "who": one.holder, "agent": one.agent,
        "state": one.state, "why": one.reason, "asked": timestamp(one.created),
        "until": timestamp(one.expires), "digest": one.digest, "call": one.call,
        "votes": [{"who": v.voter, "said": v.answer, "at": timestamp(v.at), "note": v.note,
                   "as": list(v.factors), "for": v.by_delegation} for v in seen.asked.votes],
        "needs": {need.factor: need.count for need in one.needs},
        "missing": {need.factor: need.count for need in seen.missing},
        "mine": sorted(seen.voice.factors), "uses": one.uses, "parent": one.parent,
    }  # fmt: skip


def on_yes(one: Inquiry, rules: ApprovalRules) -> dict[str, Any]:
    """What happens once the last yes is said. Names and numbers of ours alone."""
    windows = [rules.of(need.factor).window for need in one.needs]
    runs = "when its client comes again" if one.on_retry else "by the gateway"
    return {
        "upstream": one.tool.get("upstream", ""), "target": one.tool.get("target", ""),
        "times": one.uses, "within_seconds": min([one.window, *windows]) // 1_000, "runs": runs,
    }  # fmt: skip


def plain_history(found: History) -> dict[str, Any]:
    return {
        "first_of_person": found.first_of_holder,
        "first_of_agent": found.first_of_agent,
        "by_person": [_plain_earlier(one) for one in found.by_holder],
        "by_agent": [_plain_earlier(one) for one in found.by_agent],
    }


def say_question(seen: Shown, told: Mapping[str, Any], found: History) -> None:
    """``told``: as for JSON. What strangers chose is shown escaped, never obeyed."""
    one = seen.asked.inquiry
    through = f" through {one.agent}" if one.agent else ""
    _say("id", one.id)
    _say("what", f"{one.title} ({one.kind})")
    _say("who", f"{one.holder}{through}")
    _say("state", f"{one.state}, {one.reason}" if one.reason else one.state)
    _say("asked", f"{told['asked']}, until {told['until']}")
    _say("arguments", _arguments(told["arguments"]))
    if one.kind != "call":  # of a call they say no more than the arguments
        for name, value in told["facts"].items():
            say(f"{name}:", *value.split("\n"))
    _say("on yes", _promise(told["on_yes"]) if one.kind in ("call", "grant") else "it takes effect")
    _say("needs", counts(told["needs"]))
    _say("still", counts(told["missing"]))
    _say("you", ", ".join(told["mine"]) or "cannot answer this")
    for vote in told["votes"]:
        _say("said", _vote(vote))
    _say("before", _before("this person", found.by_holder))
    if one.agent:
        _say("", _before("this agent", found.by_agent))
    _say("digest", one.digest)
    _say("call", one.call)


def counts(needed: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({count})" for name, count in needed.items()) or "nobody"


def _say(name: str, text: str) -> None:
    say(f"{name:<10} {text}")


def _arguments(raw: str | None) -> str:
    """Exactly as they will be sent: nothing is left out, sorted or rendered."""
    return "not kept, or not for you to see" if raw is None else raw


def _promise(told: Mapping[str, Any]) -> str:
    times = "once" if told["times"] == 1 else f"{told['times']} times"
    return (f"{told['target']} of {told['upstream']} runs {times}, {told['runs']}, within "
            f"{told['within_seconds']} s of the last yes")  # fmt: skip


def _vote(vote: Mapping[str, Any]) -> str:
    lent = f" for {vote['for']}" if vote["for"] else ""
    note = f": {orjson.dumps(vote['note']).decode()}" if vote["note"] else ""
    return f"{vote['said']} by {vote['who']}{lent} as {', '.join(vote['as']) or 'nobody'} at {vote['at']}{note}"  # noqa: E501


def _before(who: str, found: Sequence[Earlier]) -> str:
    if not found:
        return f"the first time {who} asks for this"
    some = ", ".join(f"{one.state} {timestamp(one.asked)}" for one in found[:_SHOWN])
    same = sum(one.same for one in found)
    exactly = f", {same} of them exactly this" if same else ""
    return f"{who} asked {len(found)} times{exactly}: {some}"


def _plain_earlier(one: Earlier) -> dict[str, Any]:
    return {"id": one.id, "asked": timestamp(one.asked), "state": one.state, "same": one.same}
