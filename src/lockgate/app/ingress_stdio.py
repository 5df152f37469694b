"""``lockgate stdio``: for clients that only speak stdio. A thin shim before a gateway over HTTP.

Starts fast: it imports none of the gateway's engines. It judges nothing; it carries lines to the
gateway under a person's credential, and answers back. stdout carries MCP only; complaints go to
stderr.
"""

import asyncio
import os
import signal
import stat
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

from pyreqwest.client import ClientBuilder
from pyreqwest.http import Url

from lockgate.app.bearer import Bearer, FixedBearer
from lockgate.app.shim import MOST_BYTES, Shim, complain
from lockgate.wire.refusal import WireRefusal
from lockgate.wire.streams import LineDecoder

DEFAULT_URL = "http://127.0.0.1:8765/mcp"
_CHUNK = 2**16
_TERMINATED = 128 + signal.SIGTERM
_CONNECT = timedelta(seconds=5)


async def carry(url: str, bearer: Bearer, source: BinaryIO, sink: BinaryIO) -> None:
    """Carry until ``source`` ends."""
    read = await _reader(source)

    def write(line: bytes) -> None:
        sink.write(line)
        sink.flush()

    lines = LineDecoder(MOST_BYTES)
    builder = ClientBuilder().follow_redirects(False).no_proxy().connect_timeout(_CONNECT)
    async with builder.build() as client:
        shim = Shim(client, url, bearer, write)
        try:
            while chunk := await read():
                for line in lines.feed(chunk):
                    await shim.take(line)
        except WireRefusal:
            complain("the client sent a message of more than 16 MiB")
        await shim.finish()
    await bearer.settle()


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


def by_key(url: str, options: Mapping[str, str]) -> Bearer | None:  # noqa: ARG001 - any gateway
    key = _key(options.get("--key-file"))
    return FixedBearer(key) if key else None


def run(bearer_of: Callable[[str, Mapping[str, str]], Bearer | None] = by_key) -> int:
    """Exit codes: 0 the client closed or sent too much, 2 bad usage, 3 no usable credential,
    143 ended by SIGTERM.

    ``bearer_of``: what to show to a URL under the options of the command; None, after saying why,
    where there is nothing.
    """
    options = _options(sys.argv[2:])
    if options is None:
        complain(USAGE)
        return 2
    url = options.get("--url") or os.environ.get("LOCKGATE_URL") or DEFAULT_URL
    if not _is_http(url):
        complain(f"not an http:// or https:// URL: {url}")
        return 2
    bearer = bearer_of(url, options)
    if bearer is None:
        return 3
    return asyncio.run(_carried(url, bearer))


async def _carried(url: str, bearer: Bearer) -> int:
    """Clients end their programs by SIGTERM where closing stdin was not enough. What a bearer has
    under way is waited for even then."""
    carrying = asyncio.create_task(carry(url, bearer, sys.stdin.buffer, sys.stdout.buffer))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, carrying.cancel)
    await asyncio.wait({carrying})
    if not carrying.cancelled():
        carrying.result()
        return 0
    await bearer.settle()
    return _TERMINATED


USAGE = f"""usage: lockgate stdio [--url URL] [--key-file FILE | --login | --insecure-file FILE]

Speaks MCP on standard input and output, and passes everything to a running Lockgate.

  --url            MCP endpoint of the gateway (or LOCKGATE_URL; default {DEFAULT_URL}).
                   Use .../mcp for everything, .../mcp/<upstream> for one server.
  --key-file       file that holds your personal key (or the variable LOCKGATE_KEY).
  --login          as the person who signed in with `lockgate login`; renewed unattended.
  --insecure-file  as --login, where the login is kept in that file and not in the keychain."""

LOGIN_OPTIONS = frozenset({"--login", "--insecure-file"})
"""Where one is given, ``main`` starts ``login/carrying.py`` instead."""


def _options(arguments: Sequence[str]) -> dict[str, str] | None:
    """None for what is no usage of this command."""
    rest, options = list(arguments), {}
    while rest:
        name = rest.pop(0)
        if name in options or (name != "--login" and not rest):
            return None
        options[name] = "" if name == "--login" else rest.pop(0)
    known = options.keys() <= {"--url", "--key-file"} | LOGIN_OPTIONS
    both = "--key-file" in options and bool(LOGIN_OPTIONS & options.keys())
    return options if known and not both else None


def _key(file: str | None) -> str:
    """Empty, after saying why, for what cannot be one."""
    if file is None:
        key, place = os.environ.get("LOCKGATE_KEY", "").strip(), "LOCKGATE_KEY"
        if not key:
            complain("no key: set LOCKGATE_KEY or give --key-file, or --login to be yourself")
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
