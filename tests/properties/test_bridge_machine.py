"""The bridge as a state machine: clients of both eras before upstreams of both, that call, are
asked, answer (also what is not theirs, and twice), come again, cancel and are answered, in any
order.

Every call, question and answer has words of its own, so it is seen where each of them ends up.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import hypothesis.strategies as st
import orjson
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fuzz.parts import LIMITS
from fuzz.stage import ANN, EVE, Stage
from lockgate.app.answers import Answer
from lockgate.model import Permit, Principal, Reply, SendFailed
from lockgate.upstream.link import Hears, LinkReply
from lockgate.wire import jsonrpc

_TURNS = 60
_ABLE: dict[str, Any] = {"elicitation": {"form": {}}, "roots": {}, "sampling": {}}
_ELICIT = "elicitation/create"


def _question(words: str) -> dict[str, Any]:
    return {"message": words, "requestedSchema": {"type": "object", "properties": {}}}


def _accept(words: str) -> dict[str, Any]:
    return {"action": "accept", "content": {"said": words}}


@dataclass
class Running:
    """One request as the upstream sees it."""

    call: int
    era: str
    permit: Permit
    hears: Hears
    orders: "asyncio.Queue[tuple[str, Any]]" = field(default_factory=asyncio.Queue)
    asking: "list[asyncio.Task[None]]" = field(default_factory=list)
    over: bool = False


@dataclass
class Put:
    """A question that reached a client: under which id or key, and what it was answered."""

    client: "Client"
    call: int
    words: str
    id: str
    answer: str = ""


@dataclass
class Client:
    who: Principal
    era: str
    session: bytes = b""
    calls: "dict[int, asyncio.Task[Answer]]" = field(default_factory=dict)
    parked: "dict[int, tuple[str, list[str]]]" = field(default_factory=dict)
    """By call: ``requestState``, and the keys that were asked."""
    heard: list[bytes] = field(default_factory=list)

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        if self.era == "legacy":
            return [(b"mcp-session-id", self.session)]
        return [(b"mcp-protocol-version", b"2026-07-28"), (b"mcp-method", b"tools/call"),
                (b"mcp-name", b"up__echo")]  # fmt: skip


class Bridge(RuleBasedStateMachine):
    """Rules choose among what is there; where nothing is, they do nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.stage = Stage()
        self.stage.behind.script = self._play
        self.eras: dict[int, str] = {}
        self.owner: dict[int, Client] = {}
        self.running: list[Running] = []
        self.put: list[Put] = []
        self.told: dict[str, list[str]] = {}
        """What the upstream was answered to each of its questions, by the question's words."""
        self.answered: Counter[int] = Counter()
        self.number = 0
        self.clients = [Client(who, era) for who in (ANN, EVE) for era in ("legacy", "modern")]
        self.clients.append(Client(ANN, "legacy"))
        self._run(self._begin_sessions())

    async def _begin_sessions(self) -> None:
        for client in self.clients:
            if client.era != "legacy":
                continue
            opened = await self._post(client, _request(0, "initialize", {
                "protocolVersion": "2025-11-25", "capabilities": _ABLE,
                "clientInfo": {"name": "machine", "version": "1"},
            }), [])  # fmt: skip
            client.session = opened.session.encode()

    # The upstream's side.

    async def _play(self, permit: Permit, hears: Hears) -> Reply:
        call = permit.call.arguments["n"]
        running = Running(call, self.eras[call], permit, hears)
        self.running.append(running)
        self._take_responses(permit.call.decoded)
        try:
            while True:
                order, what = await running.orders.get()
                if order == "ask":
                    running.asking.append(asyncio.ensure_future(self._ask(running, what)))
                elif order == "fail":
                    raise SendFailed("upstream.crashed", "machine")
                else:
                    return Reply(permit.call, orjson.dumps(what))
        finally:
            running.over = True
            for task in running.asking:
                task.cancel()

    async def _ask(self, running: Running, words: str) -> None:
        said = await running.hears.ask(_ELICIT, orjson.dumps(_question(words)), "legacy")
        self.told.setdefault(words, []).append(_words(said))

    def _take_responses(self, params: Any) -> None:
        """The second round of a modern upstream: its key is the question's words."""
        for words, said in params.get("inputResponses", {}).items():
            self.told.setdefault(words, []).append(_words_in(said))
            assert params["requestState"] == f"state of {words}"

    # Clients.

    @rule(client=st.integers(0, 4), era=st.sampled_from(["legacy", "modern"]))
    def call(self, client: int, era: str) -> None:
        self.number += 1
        number, who = self.number, self.clients[client]
        self.eras[number], self.owner[number] = era, who
        who.calls[number] = self._begin(who, number, {})

    @rule(data=st.data(), again=st.booleans())
    @precondition(lambda self: self._open())
    def answer(self, data: st.DataObject, again: bool) -> None:
        """The client that was asked says something; of a second answer nothing may come."""
        question = data.draw(st.sampled_from(self._open()), "question")
        for _ in range(1 + again):
            words = f"answer {self._next()}"
            question.answer = question.answer or words
            self._say(question.client, question.id, words)

    @rule(data=st.data())
    @precondition(lambda self: self._open())
    def answer_for_another(self, data: st.DataObject) -> None:
        question = data.draw(st.sampled_from(self._open()), "question")
        others = [c for c in self.clients if c is not question.client and c.era == "legacy"]
        self._say(data.draw(st.sampled_from(others), "thief"), question.id, "stolen")

    @rule(data=st.data(), all_of_them=st.booleans())
    @precondition(lambda self: self._parked())
    def come_again(self, data: st.DataObject, all_of_them: bool) -> None:
        """A modern client brings answers, or only some; and then the same again."""
        client, number = data.draw(st.sampled_from(self._parked()), "round")
        state, keys = client.parked.pop(number)
        responses = {}
        for key in keys if all_of_them else keys[:1]:
            words = f"answer {self._next()}"
            question = next(p for p in self.put if p.call == number and p.id == key)
            question.answer = question.answer or words
            responses[key] = _accept(words)
        more = {"inputResponses": responses, "requestState": state}
        client.calls[number] = self._begin(client, number, more)
        if self.eras[number] == "legacy":  # where the state is the call that waits here
            answer = self._run(self._post(client, _calling(client, number, more), []))
            assert b"round.gone" in answer.body, "one round was taken up twice"

    @rule(data=st.data())
    @precondition(lambda self: self._parked())
    def come_with_what_is_not_ones_own(self, data: st.DataObject) -> None:
        victim, number = data.draw(st.sampled_from(self._parked()), "round")
        state, keys = victim.parked[number]
        more = {"inputResponses": dict.fromkeys(keys, _accept("stolen")), "requestState": state}
        thief = next(c for c in self.clients if c.era == "modern" and c is not victim)
        answer = self._run(self._post(thief, _calling(thief, number, more), []))
        assert b"round.invalid" in answer.body
        answer = self._run(self._post(victim, _calling(victim, number + 1, more), []))
        assert b"round.invalid" in answer.body, "a state was taken for another call"

    @rule(data=st.data())
    @precondition(lambda self: self._running())
    def cancel(self, data: st.DataObject) -> None:
        client, number = data.draw(st.sampled_from(self._running()), "call")
        others = [c for c in self.clients if c.era == "legacy" and c is not client]
        for other in others:
            self._notify(other, "notifications/cancelled", {"requestId": number})
        assert not client.calls[number].done(), "cancelled by another"
        if client.era == "legacy":
            self._notify(client, "notifications/cancelled", {"requestId": number})
        else:
            client.calls[number].cancel()
            self._run(_turns())
        assert client.calls[number].done()
        assert all(r.over for r in self.running if r.call == number)

    # The upstream.

    @rule(data=st.data())
    @precondition(lambda self: any(not r.over for r in self.running))
    def ask(self, data: st.DataObject) -> None:
        self._put_question(data)

    @rule(data=st.data())
    @precondition(lambda self: any(not r.over for r in self.running))
    def ask_more(self, data: st.DataObject) -> None:
        """Twice as often as other things: without questions there is little to go wrong."""
        self._put_question(data)

    def _put_question(self, data: st.DataObject) -> None:
        """A legacy upstream asks on the way, a modern one instead of answering."""
        running = data.draw(st.sampled_from([r for r in self.running if not r.over]), "running")
        words = f"question {running.call} {self._next()}"
        if running.era == "legacy":
            self._order(running, "ask", words)
        else:
            self._order(running, "say", {
                "resultType": "input_required", "requestState": f"state of {words}",
                "inputRequests": {words: {"method": _ELICIT, "params": _question(words)}},
            })  # fmt: skip

    @rule(data=st.data(), fails=st.booleans())
    @precondition(lambda self: any(not r.over for r in self.running))
    def finish(self, data: st.DataObject, fails: bool) -> None:
        running = data.draw(st.sampled_from([r for r in self.running if not r.over]), "running")
        said = {"content": [{"type": "text", "text": f"result {running.call}"}]}
        self._order(running, "fail" if fails else "say", said)

    # What always holds.

    @invariant()
    def answers_go_to_whoever_was_asked_once(self) -> None:
        for question in self.put:
            assert question.client is self.owner[question.call], "asked of somebody else"
        given = {p.words: p.answer for p in self.put}
        for words, answers in self.told.items():
            assert len(answers) == 1, f"{words} was answered {len(answers)} times"
            if answers[0]:
                assert answers[0] == given[words], f"{words} was answered by another"

    @invariant()
    def one_call_is_sent_once(self) -> None:
        sent = Counter(r.permit.call.id for r in self.running)
        assert all(times == 1 for times in sent.values())

    def teardown(self) -> None:
        """Everything ends: what is still running is finished, and what waits is given up."""
        for running in self.running:
            if not running.over:
                self._order(running, "say", {"content": []})
        for client in self.clients:
            for task in client.calls.values():
                if not task.done():  # it waits for an answer of its client
                    task.cancel()
        self.stage.gateway.dialogue.parking.end_all()
        self._run(_turns())
        assert all(t.done() for c in self.clients for t in c.calls.values())
        assert all(r.over for r in self.running)
        self.stage.check_over()
        self.loop.close()

    # How it is done.

    def _open(self) -> list[Put]:
        return [p for p in self.put if p.client.era == "legacy" and not p.answer]

    def _parked(self) -> list[tuple[Client, int]]:
        return [(c, n) for c in self.clients for n in c.parked if c.calls[n].done()]

    def _running(self) -> list[tuple[Client, int]]:
        return [(c, n) for c in self.clients for n, t in c.calls.items() if not t.done()]

    def _next(self) -> int:
        self.number += 1
        return self.number

    def _begin(self, client: Client, number: int, more: dict[str, Any]) -> "asyncio.Task[Answer]":
        task = self.loop.create_task(
            self._post(client, _calling(client, number, more), client.heard)
        )
        task.add_done_callback(lambda done: self._done(client, number, done))
        self._run(_turns())
        return task

    def _done(self, client: Client, number: int, task: "asyncio.Task[Answer]") -> None:
        if task.cancelled():
            return
        said = orjson.loads(task.result().body)
        assert said["id"] == number
        result = said.get("result", {})
        if result.get("resultType") == "input_required":
            asked = result["inputRequests"]
            client.parked[number] = (result["requestState"], list(asked))
            known = {p.id for p in self.put if p.call == number}
            for key, one in asked.items():
                if key not in known:
                    self._asked(client, key, one["params"]["message"])
            return
        self.answered[number] += 1
        assert self.answered[number] == 1, "answered twice"
        text = result["content"][0]["text"] if result.get("content") else ""
        assert not text.startswith("result") or text == f"result {number}"

    def _asked(self, client: Client, id: str, words: str) -> None:
        self._check_recorded()
        self.put.append(Put(client, int(words.split()[1]), words, id))

    def _check_recorded(self) -> None:
        begun = [e for e in self.stage.ledger.events if e.kind == "call.intent" and ".q" in e.call]
        assert len(begun) > len(self.put), "a question went out before it was recorded"

    def _order(self, running: Running, order: str, what: Any) -> None:
        running.orders.put_nowait((order, what))
        self._run(_turns())

    def _say(self, client: Client, id: str, words: str) -> None:
        body = jsonrpc.encode_result(id, orjson.dumps(_accept(words)))
        assert self._run(self._post(client, body, [])).status == 202
        self._run(_turns())

    def _notify(self, client: Client, method: str, params: dict[str, Any]) -> None:
        body = jsonrpc.encode_notification(method, orjson.dumps(params))
        self._run(self._post(client, body, []))
        self._run(_turns())

    async def _post(self, client: Client, body: bytes, heard: list[bytes]) -> Answer:
        def hear(raw: bytes) -> None:
            heard.append(raw)
            message = jsonrpc.parse(raw, LIMITS)
            if message.kind == "request":
                self._asked(client, str(message.id), orjson.loads(message.params)["message"])

        opened = client.session or client.era == "modern"
        headers = client.headers if opened else []
        return await self.stage.post(body, headers, hear, who=client.who)

    def _run(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)


async def _turns() -> None:
    for _ in range(_TURNS):
        await asyncio.sleep(0)


def _request(id: int, method: str, params: dict[str, Any]) -> bytes:
    return orjson.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": params})


def _calling(client: Client, number: int, more: dict[str, Any]) -> bytes:
    params: dict[str, Any] = {"name": "up__echo", "arguments": {"n": number}, **more}
    if client.era == "modern":
        params["_meta"] = {
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": _ABLE,
        }
    return _request(number, "tools/call", params)


def _words(said: LinkReply) -> str:
    return "" if said.is_error else _words_in(orjson.loads(said.raw))


def _words_in(said: Any) -> str:
    return str(said["content"]["said"])


TestBridge = Bridge.TestCase
TestBridge.settings = settings(
    max_examples=50,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
