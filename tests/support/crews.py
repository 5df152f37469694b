"""Workers of one host within one process, over real Unix sockets."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from lockgate.app.peers import Peers

NODES = ("host.0", "host.1")


@asynccontextmanager
async def peers(nodes: tuple[str, ...] = NODES) -> AsyncIterator[list[Peers]]:
    # A socket's path must be short, which a test's own folder is not.
    with tempfile.TemporaryDirectory(prefix="lockgate-t-") as folder:
        made = [Peers(node, nodes, Path(folder)) for node in nodes]
        for each in made:
            await each.start()
        try:
            yield made
        finally:
            for each in made:
                await each.close()
