"""The probe for each kind of method: params one way, results, errors and questions the other."""

from collections.abc import Awaitable, Callable
from typing import Any

from mcp_types import methods as spec

from lockgate.wire.methods import Method
from support.canary_cell import (
    MIRRORED,
    TOOL,
    Cell,
    ask,
    askable,
    complete,
    input_of,
    requests,
    results,
    standing,
)
from support.canary_messages import VERSIONS, answered_type, asked_type, params_type, planted
from support.canary_words import words_in


async def _item(cell: Cell, row: Method) -> None:
    """Params one way, results and errors the other."""
    back = list(results(cell, row.name))
    sent = list(requests(cell, row.name))
    for turn in range(max(len(back), len(sent))):
        await ask(cell, row.name, sent[turn % len(sent)], back[turn % len(back)])
    error = {"code": -32002, "message": cell.peer.word(f"{row.name}: error message"),
             "data": next(planted(cell.house.mint, "upstream", f"{row.name}: error data",
                                  dict[str, Any]))}  # fmt: skip
    await ask(cell, row.name, sent[0], error=error)


async def _list(cell: Cell, row: Method) -> None:
    for result in results(cell, row.name):
        listed = result[row.array]
        if row.name == "tools/list":
            listed.append({"name": TOOL, "inputSchema": MIRRORED})
        params = next(requests(cell, row.name))
        await ask(cell, row.name, params, result)
        shown = words_in(listed) & cell.house.out["client"]
        unseen = shown - cell.house.sight.catalogue
        if unseen:
            where = ", ".join(cell.house.mint.places(unseen))
            cell.complaints.append(f"{cell.client} > {cell.upstream}: not in a catalogue: {where}")


async def _local(cell: Cell, row: Method) -> None:
    """Answered here: nothing of it goes anywhere."""
    if row.notification:
        await _tell(cell, row)
    elif row.name != "initialize":  # said by ``Voice.open``
        await ask(cell, row.name, next(requests(cell, row.name)))


async def _tell(cell: Cell, row: Method) -> None:
    model = spec.CLIENT_NOTIFICATIONS[row.name, VERSIONS[cell.era]]
    for params in cell.planted("client", row.name, params_type(model)):
        await cell.voice.notify(row.name, params)


async def _watch(cell: Cell, row: Method) -> None:
    params = next(requests(cell, row.name))
    if row.name == "logging/setLevel":
        params |= {"level": "debug"}
    if row.name == "subscriptions/listen":
        return  # ``_events`` listens
    await ask(cell, row.name, params, next(results(cell, row.name)))


async def _never(cell: Cell, row: Method) -> None:
    """Refused; what it says stays here."""
    said = next(planted(cell.house.mint, "client", row.name, dict[str, Any]))
    await ask(cell, row.name, {**said, "taskId": cell.house.mint.word("client", row.name)})


async def _task(cell: Cell, row: Method) -> None:
    """SEP-2663: a call is answered with a handle, and everything else goes by that."""
    mint, word = cell.house.mint, cell.peer.word
    times = {"createdAt": word("createdAt"), "lastUpdatedAt": word("lastUpdatedAt"),
             "ttlMs": 60_000, "pollIntervalMs": 1, "taskId": word("taskId")}  # fmt: skip
    free, more = (
        next(planted(mint, "upstream", f"task {row.name}", dict[str, Any])) for _ in range(2)
    )
    begun = {**more, **times, "resultType": "task", "status": "working"}
    question = next(planted(mint, "upstream", "task ask", asked_type("elicitation/create")))
    asked = {word("key"): {"method": "elicitation/create", "params": askable(question)}}
    state = {"status": "input_required", "inputRequests": asked, "result": {"content": [], **free},
             "error": {"code": 1, "message": word("task error"), **free}}  # fmt: skip
    cell.peer.plan.results |= {
        "tools/call": begun, row.name: {**free, **times, **state, **complete(cell.peer)}
    }  # fmt: skip
    handle = await cell.voice.request("tools/call", {"name": TOOL})
    outer = handle.get("result", {}).get("taskId", mint.word("client", "taskId of nobody"))
    said = next(planted(mint, "client", row.name, dict[str, Any]))
    if "inputResponses" in row.carries:
        answer = next(planted(mint, "client", "answer", answered_type("elicitation/create")))
        said["inputResponses"] = dict.fromkeys(asked, answer)
    await ask(cell, row.name, {**said, "taskId": outer})
    cell.check("task begun", more, "upstream")
    cell.check(f"< {row.name}", [free, asked], "upstream")
    cell.peer.plan = standing(cell.peer, cell.house)


async def _question(cell: Cell, row: Method) -> None:
    """An upstream's own request, and what the client says to it."""
    kind, label = asked_type(row.name), f"ask {row.name}"
    asks = [askable(one) for one in cell.planted("upstream", label, kind)]
    answers = cell.planted("client", f"answer {row.name}", answered_type(row.name))
    for turn in range(max(len(asks), len(answers))):
        cell.peer.plan = plan = standing(cell.peer, cell.house)
        asked, answer = asks[turn % len(asks)], answers[turn % len(answers)]
        cell.voice.answers = {row.name: answer}
        if cell.peer.era == "legacy":
            plan.asks = [(row.name, asked)]
        else:
            plan.input = input_of(cell, {row.name: asked})
        await cell.voice.request("tools/call", {"name": TOOL})
        cell.check(f"ask {row.name}", asked, "upstream")
        cell.check(f"answer {row.name}", answer, "client")


KINDS: dict[str, Callable[[Cell, Method], Awaitable[None]]] = {
    "local": _local, "list": _list, "item": _item, "watch": _watch, "ignored": _tell,
    "never": _never, "ask": _question, "task": _task,
}  # fmt: skip
"""The probe for each kind of row."""
