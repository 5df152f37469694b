"""A scene about who is calling: a doctor and a billing clerk who sign in, with and without the
certificate of the program that they use."""

import asyncio
import base64
import os
from collections.abc import Mapping
from typing import Any

import orjson

from lockgate.app.demo.folder import ALICE, BOB
from lockgate.app.demo.narration import LeftOut, Telling, actor_of, because, caller_of
from lockgate.app.demo.provider import find_provider
from lockgate.app.demo.second_gate import (
    AGENT,
    GROUPS,
    WORKLOAD,
    SecondGate,
    open_second_gate,
)
from lockgate.app.demo.stage import Stage
from lockgate.app.demo.upstreams import Missing
from lockgate.app.login.grant import Grant
from lockgate.model import Recorded

RECORD, INVOICES, NOTES = "clinic__get_patient", "clinic__get_billing", "clinic__read_notes"


async def show_sign_in(stage: Stage, told: Telling) -> None:
    provider = find_provider(os.environ.get("PATH", ""))
    if isinstance(provider, Missing):
        raise LeftOut(provider.why)
    async with open_second_gate(stage.folder.root / "second", provider) as gate:
        await tell_sign_in(gate, told)


async def tell_sign_in(gate: SecondGate, told: Telling) -> None:
    """The whole scene before an open gate."""
    told.say(
        "For this scene a second gateway opens, with TLS and without API keys, at "
        f"{gate.stage.url}. Its people sign in at {gate.issuer} (npm oidc-provider)."
    )
    await _show_challenge(gate, told)
    alice, bob = await asyncio.gather(gate.sign_in(ALICE), gate.sign_in(BOB))
    _show_tokens(gate, told, alice, bob)
    await _show_roles(gate, told, alice, bob)
    await _show_certificate(gate, told, alice, bob)


async def _show_challenge(gate: SecondGate, told: Telling) -> None:
    async with gate.http() as http:
        answer = await http.post(gate.stage.url, json={})
        challenge = answer.headers.get("www-authenticate", "")
        place = challenge.partition('resource_metadata="')[2].partition('"')[0]
        said = (await http.get(place)).json() if place else {}
    told.that(
        f"Without a token: HTTP {answer.status_code}, and where to get one (RFC 9728).",
        answer.status_code == 401 and said.get("authorization_servers") == [gate.issuer],
    )


def _show_tokens(gate: SecondGate, told: Telling, alice: Grant, bob: Grant) -> None:
    hers, his = claims_of(alice.access_token), claims_of(bob.access_token)
    told.that(
        "Alice and Bob sign in there with name and password (authorization code and PKCE, as "
        "`lockgate login` does it). Each gets a token for this gateway and no other (RFC 8707).",
        (hers.get("sub"), his.get("sub")) == (ALICE.name, BOB.name)
        and {hers.get("aud"), his.get("aud")} == {gate.stage.url},
    )
    for said in (hers, his):
        shown = (f"{name} {said.get(name)}" for name in ("client_id", "aud"))
        groups = ", ".join(said.get("groups", ()))
        told.show("token", f"sub {said.get('sub')}, groups {groups}, {', '.join(shown)}")


async def _show_roles(gate: SecondGate, told: Telling, alice: Grant, bob: Grant) -> None:
    before = await gate.stage.now()
    hers = await gate.call(alice, RECORD)
    his = await gate.call(bob, RECORD)
    invoices = await gate.call(bob, INVOICES)
    then = await gate.stage.since(before)
    name = hers.data and hers.data.get("name")
    told.that(f"Alice's group {GROUPS[ALICE.name]} makes her a doctor: she reads {name}'s record.",
              hers.ok and bool(name))  # fmt: skip
    told.that("Bob's group is billing. He asks for the same record: refused.",
              his.reason == "policy.no-rule")  # fmt: skip
    told.agent_reads(his.text)
    count = len((invoices.data or {}).get("invoices", ()))
    told.that(f"He may see the invoices: {count} of them.", invoices.ok and count > 0)
    told.rows(then.calls)
    told.that("Only these two reached the clinic.",
              then.reached == {"get_patient": 1, "get_billing": 1})  # fmt: skip


async def _show_certificate(gate: SecondGate, told: Telling, alice: Grant, bob: Grant) -> None:
    told.say("Notes are for programs on the clinic's own machines: a policy asks for a client "
             "certificate (mtls in principal.authn), whoever signed in.")  # fmt: skip
    before = await gate.stage.now()
    without = await gate.call(alice, NOTES)
    given = await gate.call(alice, NOTES, certified=True)
    his = await gate.call(bob, NOTES, certified=True)
    then = await gate.stage.since(before)
    intents = [row for row in then.calls if row.event.kind == "call.intent"]
    told.that("Alice asks for the notes from a program without a certificate. Refused.",
              without.reason == "policy.denied")  # fmt: skip
    told.show("because", because(intents[0]))
    told.that(f"The same token with the certificate of {WORKLOAD}: "
              f"{len((given.data or {}).get('notes', ()))} notes.", given.ok)  # fmt: skip
    told.that("Bob with that certificate: refused. It says which program calls, not who.",
              his.reason == "policy.no-rule")  # fmt: skip
    told.that(
        "And read_notes is in Alice's list only where she may use it.",
        NOTES in await gate.tools(alice, certified=True) and NOTES not in await gate.tools(alice),
    )
    told.rows(then.calls)
    _show_callers(told, intents)
    told.that("Only the one call reached the clinic.", then.reached == {"read_notes": 1})


def _show_callers(told: Telling, intents: list[Recorded]) -> None:
    callers = [caller_of(row) for row in intents]
    alice, bob = (f"{who.name} via {AGENT}" for who in (ALICE, BOB))
    told.that(
        "Each row names the person, the agent, the program that showed its certificate, and how "
        "they were proved:",
        callers == [alice, f"{alice} on {WORKLOAD}", f"{bob} on {WORKLOAD}"],
    )
    for row in intents:
        told.show("who", f"{caller_of(row)} ({', '.join(sorted(actor_of(row)['authn']))})")


def claims_of(token: str) -> Mapping[str, Any]:
    """What an access token says (RFC 9068), to show it. Nothing is decided by it here."""
    part = token.split(".")[1]
    said: dict[str, Any] = orjson.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return said
