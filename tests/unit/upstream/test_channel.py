"""What ``test_send_stdio`` does not reach: a channel over a program that says fixed lines."""

import asyncio
import sys

import pytest

from lockgate.model import SendFailed
from lockgate.upstream.channel import Channel
from lockgate.upstream.child import Child, Tail
from lockgate.upstream.target import StdioTarget
from lockgate.wire.jsonrpc import Message
from lockgate.wire.strict_json import Limits

RESULT = b'{"jsonrpc":"2.0","id":%d,"result":{"n":%d}}\n'


async def over(code: str, most: int = 10_000) -> Channel:
    """``say`` writes bytes; ``hear`` reads one line."""
    prelude = (
        "import sys\n"
        "def say(b): sys.stdout.buffer.write(b); sys.stdout.flush()\n"
        "def hear(): return sys.stdin.buffer.readline()\n"
    )
    command = (sys.executable, "-I", "-S", "-c", prelude + code)
    child = await Child.start(StdioTarget(command), grace=0.2, tail=Tail())
    return Channel(child, Limits(bytes=most))


async def reason(channel: Channel) -> str:
    with pytest.raises(SendFailed) as failed:
        await channel.call("x", b"{}", seconds=5)
    await channel.close()
    return failed.value.reason


async def test_answers_may_come_in_any_order_and_shape() -> None:
    first, second = RESULT % (1, 10), RESULT % (2, 20)
    channel = await over(
        f"hear(); hear(); say({b'  ' + second!r} + b'\\n\\r\\n' + {first!r}); hear()"
    )
    said = await asyncio.gather(*(channel.call("x", b"{}", seconds=5) for _ in range(2)))
    assert [one.result for one in said] == [b'{"n":10}', b'{"n":20}']
    await channel.close()


async def test_late_and_unknown_answers_are_dropped() -> None:
    late = RESULT % (1, 10) + RESULT % (99, 1) + RESULT % (2, 20)
    channel = await over(f"hear(); hear(); hear(); say({late!r}); hear()")
    with pytest.raises(SendFailed) as failed:
        await channel.call("x", b"{}", seconds=0.05)
    assert failed.value.reason == "upstream.timeout"
    assert (await channel.call("x", b"{}", seconds=5)).result == b'{"n":20}'
    await channel.close()


@pytest.mark.parametrize(
    "line",
    [
        RESULT % (9, 9) + b"Server started\n",
        b"[]\n",
        b'{"id":1}\n',
        b'{"jsonrpc":"2.0","id":1,"result":{"a":1,"a":2}}\n',
        RESULT % (9, 9) + b"\xff\xfe\n",
        b"Server started\n" * 65,
        b"x" * 5_000 + b"\n" + b"y" * 5_000 + b"\n" * 2 + (b"z" * 9_000 + b"\n") * 7,
    ],
)
async def test_what_is_not_json_rpc_is_garbage(line: bytes) -> None:
    assert await reason(await over(f"hear(); say({line!r}); hear()")) == "upstream.garbage"


async def test_a_banner_before_the_first_message_is_borne() -> None:
    banner = b"*** my server 1.0 ***\n[INFO] listening\n\xff\n" + b"x" * 9_000 + b"\n"
    channel = await over(f"hear(); say({banner!r} + {RESULT % (1, 10)!r}); hear()")
    assert (await channel.call("x", b"{}", seconds=5)).result == b'{"n":10}'
    await channel.close()


async def test_a_line_without_end_is_too_large() -> None:
    channel = await over("hear()\nwhile True: say(b'x' * 1000)")
    assert await reason(channel) == "upstream.too-large"


UNREADABLE = {
    "too large": (b'{"jsonrpc":"2.0","id":2,"result":{"n":"%b"}}' % (b"x" * 30_000), "too-large"),
    "too large, id last": (
        b'{"result":{"id":1,"n":"%b"},"jsonrpc":"2.0","id":2}' % (b"x" * 30_000),
        "too-large",
    ),
    "same key twice": (b'{"jsonrpc":"2.0","id":2,"result":{"a":1,"a":2}}', "garbage"),
    "too deep": (
        b'{"jsonrpc":"2.0","id":2,"result":{"a":%b%b}}' % (b"[" * 99, b"]" * 99),
        "garbage",
    ),
    "no result": (b'{"jsonrpc":"2.0","x":1,"id":2,"y":1}', "garbage"),
}


@pytest.mark.parametrize(("line", "why"), UNREADABLE.values(), ids=UNREADABLE.keys())
async def test_an_unreadable_answer_fails_its_own_call_only(line: bytes, why: str) -> None:
    say = line.replace(b"x" * 30_000, b"XX")
    code = f"hear(); hear(); say({say!r}.replace(b'XX', b'x' * 30_000) + b'\\n')\n"
    channel = await over(
        code + f"say({RESULT % (1, 10)!r}); hear(); say({RESULT % (3, 30)!r}); hear()"
    )
    first, second = (channel.call("x", b"{}", seconds=5) for _ in range(2))
    good, bad = await asyncio.gather(first, second, return_exceptions=True)
    assert isinstance(good, Message)
    assert good.result == b'{"n":10}'
    assert isinstance(bad, SendFailed)
    assert bad.reason == f"upstream.{why}"
    assert (await channel.call("x", b"{}", seconds=5)).result == b'{"n":30}'
    await channel.close()


@pytest.mark.parametrize(
    "say", ["say(b'[]\\n')", "while True: say(b'x' * 1000)"], ids=["garbage", "endless"]
)
async def test_where_nobody_can_be_picked_all_are_told_of_a_crash(say: str) -> None:
    channel = await over(f"hear(); hear()\n{say}\nhear()")
    asked = (channel.call("x", b"{}", seconds=5) for _ in range(2))
    said = await asyncio.gather(*asked, return_exceptions=True)
    assert [getattr(one, "reason", "") for one in said] == ["upstream.crashed"] * 2
    assert channel.failure is not None
    await channel.close()


async def test_closed_output_is_a_crash_though_the_program_runs_on() -> None:
    code = "import os, signal\nhear(); os.close(1); signal.pause()"
    assert await reason(await over(code)) == "upstream.crashed"


async def test_asking_without_reading_the_answers_is_garbage() -> None:
    ask = b'{"jsonrpc":"2.0","id":"%b","method":"m"}\n' % (b"i" * 4000)
    channel = await over(f"hear()\nfor _ in range(1000): say({ask!r})\nhear()\nhear()")
    assert await reason(channel) == "upstream.garbage"


async def test_initialize_is_never_cancelled() -> None:
    said = b'{"jsonrpc":"2.0","id":2,"result":{"n":0}}\n'
    code = f"a = hear(); b = hear(); say({said!r} if b'\"y\"' in b else b'no\\n'); hear()"
    channel = await over(code)
    with pytest.raises(SendFailed):
        await channel.call("initialize", b"{}", seconds=0.05)
    await channel.call("y", b"{}", seconds=5)
    await channel.close()


async def test_a_reader_that_fails_ends_the_channel() -> None:
    """A defect in who listens must not leave anyone waiting for ever."""
    note = b'{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1}}\n'
    channel = await over(f"hear(); say({note!r}); hear()")

    def listen(_: Message) -> None:
        raise LookupError

    channel.hear = listen
    with pytest.raises(SendFailed) as failed:
        await channel.call("x", b"{}", seconds=5)
    assert "LookupError" in failed.value.detail
    await channel.close()
