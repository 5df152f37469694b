"""``python -m soak.stdio_upstream ERA FOLDER``: a counting upstream on its standard streams."""

import asyncio
import json
import sys
from functools import partial
from pathlib import Path

from soak.counting import Asked, Counting, Json


async def serve(counting: Counting) -> None:
    reader = asyncio.StreamReader(limit=2**22)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    asked, running = Asked(), dict[object, asyncio.Task[None]]()

    async def say(message: Json) -> None:
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()

    if counting.era == "legacy":
        counting.outside.add(say)
    while line := await reader.readline():
        message = json.loads(line)
        if "method" not in message:
            asked.take(message)
        elif message["method"] == "notifications/cancelled":
            task = running.get(message["params"].get("requestId"))
            if task is not None:
                task.cancel()
        elif "id" in message:
            answering = counting.answer(message, say, lambda m, p: asked.put(m, p, say))
            running[message["id"]] = task = asyncio.create_task(answering)
            task.add_done_callback(partial(_forget, running, message["id"]))


def _forget(running: dict[object, "asyncio.Task[None]"], id: object, _: object) -> None:
    running.pop(id, None)


if __name__ == "__main__":
    asyncio.run(serve(Counting(sys.argv[1], Path(sys.argv[2]))))
