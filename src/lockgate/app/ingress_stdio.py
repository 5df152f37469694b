"""``lockgate stdio``: for clients that only speak stdio. A thin shim before a gateway over HTTP.

Starts fast: it imports none of the gateway's engines. It judges nothing; it carries lines to the
gateway under a personal key, and answers back. stdout carries MCP only; complaints go to stderr.
"""

import asyncio
import os
import stat
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

from pyreqwest.client import ClientBuilder
from pyreqwest.http import Url

from lockgate.app.shim import MOST_BYTES, Shim, complain
from lockgate.wire.refusal import WireRefusal
from lockgate.wire.streams import LineDecoder

DEFAULT_URL = "http://127.0.0.1:8765/mcp"
_CHUNK = 2**16
_CONNECT = timedelta(seconds=5)


async def carry(url: str, key: str, source: BinaryIO, sink: BinaryIO) -> None:
    """Carry until ``source`` ends."""
    read = await _reader(source)

    def write(line: bytes) -> None:
        sink.write(line)
        sink.flush()

    lines = LineDecoder(MOST_BYTES)
    builder = ClientBuilder().follow_redirects(False).no_proxy().connect_timeout(_CONNECT)
    async with builder.build() as client:
        shim = Shim(client, url, key, write)
        try:
            while chunk := await read():
                for line in lines.feed(chunk):
                    await shim.take(line)
        except WireRefusal:
            complain("the client sent a message of more than 16 MiB")
        await shim.finish()


async def _reader(source: BinaryIO) -> Callable[[], Awaitable[bytes]]:
    """What gives the next bytes of ``source``, and none at its end."""
    descriptor = source.fileno()
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode) or (stat.S_ISCHR(mode) and not os.isatty(descriptor)):
        # No system tells when such a file can be read: it always can.
        return lambda: asyncio.to_thread(os.read, descriptor, _CHUNK)
    reader = asyncio.StreamReader(limit=2**20)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), source)
    return lambda: reader.read(_CHUNK)


def run() -> int:
    """Exit codes: 0 the client closed or sent too much, 2 bad usage, 3 no usable key."""
    arguments = sys.argv[2:]
    options = dict(zip(arguments[::2], arguments[1::2], strict=False))
    if len(arguments) % 2 or not options.keys() <= {"--url", "--key-file"}:
        complain(USAGE)
        return 2
    key = _key(options.get("--key-file"))
    if not key:
        return 3
    url = options.get("--url") or os.environ.get("LOCKGATE_URL") or DEFAULT_URL
    if not _is_http(url):
        complain(f"not an http:// or https:// URL: {url}")
        return 2
    asyncio.run(carry(url, key, sys.stdin.buffer, sys.stdout.buffer))
    return 0


USAGE = f"""usage: lockgate stdio [--url URL] [--key-file FILE]

Speaks MCP on standard input and output, and passes everything to a running Lockgate.

  --url       MCP endpoint of the gateway (or LOCKGATE_URL; default {DEFAULT_URL}).
              Use .../mcp for everything, .../mcp/<upstream> for one server.
  --key-file  file that holds your personal key (or the variable LOCKGATE_KEY)."""


def _key(file: str | None) -> str:
    """Empty, after saying why, for what cannot be one."""
    if file is None:
        key, place = os.environ.get("LOCKGATE_KEY", "").strip(), "LOCKGATE_KEY"
        if not key:
            complain("no key: set LOCKGATE_KEY or give --key-file")
            return ""
    else:
        place = f"the key file {file}"
        try:
            key = Path(file).expanduser().read_text(errors="replace").strip()
        except OSError as error:
            complain(f"{place} cannot be read: {error.strerror}")
            return ""
    if not (key.isascii() and key.isprintable() and " " not in key) or not key:
        complain(f"{place} does not hold one key and nothing else")
        return ""
    return key


def _is_http(url: str) -> bool:
    try:
        return Url(url).scheme in ("http", "https")
    except ValueError:
        return False
