"""Scenes about what policy decides: who sees what, who may do what, and with which arguments."""

from lockgate.app.demo.folder import ALICE, BOB, Caller, run_git
from lockgate.app.demo.narration import Telling, because, listed
from lockgate.app.demo.stage import ERAS, Era, Said, Since, Stage, effect_of
from lockgate.model import Effect

CONDITIONAL = "lockgate/conditional"
INVOICE, SMALL, LARGE = "i-006", 50.0, 500.0


async def show_lists(stage: Stage, told: Telling) -> None:
    alice, bob = await _listed(stage, ALICE), await _listed(stage, BOB)
    for who, seen in ((ALICE, alice), (BOB, bob)):
        servers = {name.partition("__")[0] for name in seen["modern"]}
        told.say(f"{who.name.capitalize()} ({who.role}, through {who.agent}) sees "
                 f"{len(seen['modern'])} tools of {len(servers)} servers.")  # fmt: skip
    told.that(
        "Clients of protocol 2026-07-28 (no sessions) and 2025-11-25 (sessions) see the same.",
        alice["modern"] == alice["legacy"] and bob["modern"] == bob["legacy"],
    )
    hers, his = set(alice["modern"]), set(bob["modern"])
    told.that(f"Only Alice sees {listed(hers - his)}.", "clinic__read_notes" in hers - his)
    told.that(f"Only Bob sees {listed(his - hers)}.", "clinic__get_billing" in his - hers)
    if stage.folder.has("fetch"):
        tools = stage.started["fetch"].tools
        told.that(
            f"fetch runs behind the gate ({listed(tools)}), and nobody sees it: no policy permits"
            " it, so notes that were read cannot be sent out with it.",
            bool(tools) and not any(name.startswith("fetch__") for name in hers | his),
        )


async def _listed(stage: Stage, who: Caller) -> dict[Era, dict[str, bool]]:
    """By era: the tools' names, and whether their use depends on more than who asks."""
    found: dict[Era, dict[str, bool]] = {}
    for era in ERAS:
        tools = (await stage.client(who, era).list_tools()).tools
        found[era] = {tool.name: bool((tool.meta or {}).get(CONDITIONAL)) for tool in tools}
    return found


async def show_reads(stage: Stage, told: Telling) -> None:
    before = await stage.now()
    asked = {"patient_id": "p-001"}
    said = [await stage.call(ALICE, era, "clinic__get_patient", asked) for era in ERAS]
    then = await stage.since(before)
    told.that(
        f"Alice reads patient p-001 in both eras: {said[0].data and said[0].data.get('name')}, "
        f"ward {said[0].data and said[0].data.get('ward')}. Both answers hold the same.",
        all(s.ok for s in said) and said[0].data == said[1].data,
    )
    told.rows(then.calls)
    told.that(
        "Each intent was on disk before the call went on, and its outcome follows; the clinic's "
        "own log counts two calls.",
        _forwarded(then, 2) and then.reached["get_patient"] == 2,
    )
    read = await stage.client(ALICE, "modern").read_resource("lockgate+clinic:clinic://wards")
    told.that("She may read its resource clinic://wards too.", "maternity" in str(read.contents))


async def show_others(stage: Stage, told: Telling) -> None:
    for upstream, tool, arguments, expected in _others(stage):
        before = await stage.now()
        said = await stage.call(ALICE, "modern", f"{upstream}__{tool}", arguments)
        then = await stage.since(before)
        told.that(f"{upstream}: Alice calls {tool}.", said.ok and expected in said.text)
        told.show("answer", " ".join(said.text.split())[:150])
        told.that("Judged, and on record before and after.", _forwarded(then, 1))


def _others(stage: Stage) -> list[tuple[str, str, dict[str, object], str]]:
    root = stage.folder.root
    calls: list[tuple[str, str, dict[str, object], str]] = [
        ("time", "get_current_time", {"timezone": "Europe/Vienna"}, "Vienna"),
        ("git", "git_log", {"repo_path": str(stage.folder.repository)}, "Add menu.txt"),
        ("filesystem", "read_text_file", {"path": str(root / "files" / "notice.txt")}, "Visitors"),
        ("everything", "echo", {"message": "through the gate"}, "through the gate"),
        ("memory", "read_graph", {}, "entities"),
    ]
    return [call for call in calls if stage.folder.has(call[0])]


async def show_refused_writes(stage: Stage, told: Telling) -> None:
    note = {"patient_id": "p-001", "author": "bob", "text": "Pays late."}
    before = await stage.now()
    said = await stage.call(BOB, "legacy", "clinic__add_note", note)
    then = await stage.since(before)
    told.that("Bob does billing; he asks to write into p-001's notes. Refused.", _denied(said))
    told.agent_reads(said.text)
    told.rows(then.calls)
    told.that("The clinic never heard of it: its log has no new line.", not then.reached)
    if not stage.folder.has("git"):
        told.say("(git is not here, so its part is left out.)")
        return
    place = stage.folder.repository
    head = run_git(place, "rev-parse", "HEAD")
    commit = {"repo_path": str(place), "message": "Rota: Monday off"}
    said = await stage.call(ALICE, "modern", "git__git_commit", commit)
    told.that("Alice may read the repository; she asks to commit. Refused.", _denied(said))
    told.that("Its last commit is the same.", run_git(place, "rev-parse", "HEAD") == head)


async def show_hidden_tools(stage: Stage, told: Telling) -> None:
    before = await stage.now()
    asked = {"patient_id": "p-001"}
    said = {era: await stage.call(ALICE, era, "clinic__get_billing", asked) for era in ERAS}
    bob = await stage.call(BOB, "modern", "clinic__get_billing", asked)
    then = await stage.since(before)
    told.that(
        "Alice's list has no get_billing. She calls it anyway, in both eras: refused.",
        all(map(_denied, said.values())),
    )
    told.agent_reads(said["modern"].text)
    told.that("For Bob the same call is answered.", bob.ok and bool(bob.data))
    told.rows(then.calls)
    told.that("Only Bob's reached the clinic.", then.reached == {"get_billing": 1})
    if stage.folder.has("fetch"):
        page = {"url": "http://127.0.0.1:9/?notes=p-001"}
        said["modern"] = await stage.call(ALICE, "modern", "fetch__fetch", page)
        told.that("fetch, which nobody may use, is refused alike.", _denied(said["modern"]))


async def show_argument_rule(stage: Stage, told: Telling) -> None:
    conditional = {n for n, depends in (await _listed(stage, BOB))["modern"].items() if depends}
    told.that(
        "Bob's list shows refund marked as conditional: whether he may depends on the amount.",
        "clinic__refund" in conditional,
    )
    before = await stage.now()
    small = await _refund(stage, SMALL)
    large = await _refund(stage, LARGE)
    then = await stage.since(before)
    told.that(f"He refunds ${SMALL:.0f} of invoice {INVOICE}: done.", small.ok)
    told.that(f"He asks to refund ${LARGE:.0f}: refused, the rule ends at $100.", _denied(large))
    told.rows(then.calls)
    told.that("One refund reached the clinic.", then.reached == {"refund": 1})
    text = await _refund(stage, "fifty")
    mistyped = text.reason in ("policy.argument-type", "schema.invalid")
    told.that("An amount that is no number is refused, not guessed at.", mistyped)
    told.agent_reads(text.text)


async def _refund(stage: Stage, amount: object) -> Said:
    asked = {"invoice_id": INVOICE, "amount": amount}
    return await stage.call(BOB, "legacy", "clinic__refund", asked)


async def show_held_call(stage: Stage, told: Telling) -> None:
    before = await stage.now()
    asked = {"patient_id": "p-011"}
    said = await stage.call(ALICE, "modern", "clinic__delete_patient", asked)
    then = await stage.since(before)
    told.that(
        "Alice asks to delete patient p-011. Policy lets her ask, but the data's owner decides.",
        said.reason == "approval.needed" and effect_of(then.calls[0]) is Effect.HOLD,
    )
    told.agent_reads(said.text)
    told.rows(then.calls)
    told.show("because", because(then.calls[0]))
    patient = await stage.call(ALICE, "modern", "clinic__get_patient", asked)
    told.that("Nothing was forwarded, and p-011 is still there.", not then.reached and patient.ok)
    await _show_approval(stage, told, then.calls[0].event.call, asked)


async def _show_approval(stage: Stage, told: Telling, held: str, asked: dict[str, str]) -> None:
    """A yes is for exactly one call, once."""
    await stage.approve(held, "dora")
    before = await stage.now()
    other = await stage.call(ALICE, "modern", "clinic__delete_patient", {"patient_id": "p-010"})
    done = await stage.call(ALICE, "modern", "clinic__delete_patient", asked)
    again = await stage.call(ALICE, "modern", "clinic__delete_patient", asked)
    then = await stage.since(before)
    told.that("Dora, who owns the data, approves it. Another patient is still held.",
              other.reason == "approval.needed")  # fmt: skip
    told.that("The approved call, asked again, is done; once more, and the same answer comes back.",
              done.ok and again.ok and done.text == again.text)  # fmt: skip
    told.rows(then.calls)
    told.that("One deletion reached the clinic.", then.reached == {"delete_patient": 1})


async def show_schema(stage: Stage, told: Telling) -> None:
    before = await stage.now()
    hostile = "p-001' OR '1'='1"
    said = await stage.call(ALICE, "legacy", "clinic__get_patient", {"patient_id": hostile})
    extra = await stage.call(
        ALICE, "modern", "clinic__get_patient", {"patient_id": "p-001", "as_user": "root"}
    )
    then = await stage.since(before)
    told.that("An id that is none, and an argument the tool does not have: both refused.",
              {said.reason, extra.reason} == {"schema.invalid"})  # fmt: skip
    told.agent_reads(said.text)
    told.that("The answer says where, and repeats nothing of what was sent.",
              "/patient_id" in said.text and "OR" not in said.text.split())  # fmt: skip
    told.that("Neither reached the clinic.", not then.reached)


def _denied(said: Said) -> bool:
    return not said.ok and said.reason in ("policy.no-rule", "policy.denied")


def _forwarded(then: Since, calls: int) -> bool:
    """So many permitted intents, each followed by an outcome of the same call."""
    intents = {r.event.call: r.seq for r in then.calls if r.event.kind == "call.intent"}
    ends = {r.event.call: r.seq for r in then.calls if r.event.kind == "call.outcome"}
    ordered = all(intents.get(call, seq) < seq for call, seq in ends.items())
    return len(intents) == calls and intents.keys() == ends.keys() and ordered
