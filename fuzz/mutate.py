"""Changes to an input: of bytes, of JSON tokens, of lines, and crossed with other inputs.

Random bytes are refused by the first decoder. What keeps most of the structure gets further in.
"""

import random
import re

_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|-?[0-9][0-9.eE+-]*|true|false|null|[{}\[\],:]', re.S)
_SPICE = (
    b"null", b"true", b"0", b"-0", b"1", b"-1", b"1.0", b"1e2", b"0.1", b"9007199254740993",
    b"18446744073709551616", b"-9223372036854775809", b"1e308", b"123456789012345678901234567890",
    b'""', b'"a"', b'"\\u0000"', b'"\\u00e9"', b'"\\ud83d\\ude00"', b'"\xc3\xa9"', b'"a/b~c"',
    b'"name"', b'"Name"', b'"arguments"', b'"_meta"', b'"progressToken"', b'"uri"', b'"type"',
    b'"\\u006eame"', b'"argument\xc5\xbf"', b'"\xe2\x84\xaa"', b'"ui://x/y"', b'"*"', b'"-"',
    b'"io.modelcontextprotocol/protocolVersion"', b'"2026-07-28"', b'"2025-11-25"',
    b'"IO.modelcontextprotocol/x"', b'"tools/call"', b'"tools/list"', b'"resultType"',
    b"{}", b"[]", b"[[]]", b'{"":0}', b"[null]", b'{"a":1,"a":2}',
    b"=?base64?YQ==?=", b"\r\n", b"\n\n", b"data: x\n", b"id: 1\n", b"retry: 5\n", b"\xef\xbb\xbf",
    b"\0", b"\x80", b"\xff", b" ", b"\t", b"\n--\n", b"~0", b"~1", b"$ref", b"#/$defs/a",
)  # fmt: skip
_MOST = 4_096


class Mutator:
    """The same changes for the same seed. ``crossed`` are the inputs it takes pieces from."""

    def __init__(self, seed: int, crossed: list[bytes]) -> None:
        self._random = random.Random(seed)  # noqa: S311 - a repeatable walk, not a secret
        self._crossed = crossed
        self._ways = (
            self._flip, self._insert, self._remove, self._repeat, self._token, self._token,
            self._token_swap, self._token_swap, self._token_remove, self._splice, self._spice,
            self._line,
        )  # fmt: skip

    def mutate(self, data: bytes, most: int = _MOST) -> bytes:
        """At least one change, seldom many."""
        for _ in range(1 + min(7, int(self._random.expovariate(0.8)))):
            data = self._random.choice(self._ways)(data)
        return data[:most]

    def _at(self, data: bytes) -> int:
        return self._random.randint(0, len(data))

    def _span(self, data: bytes) -> tuple[int, int]:
        start = self._at(data)
        return start, min(len(data), start + self._random.choice((1, 1, 2, 4, 8, 32)))

    def _flip(self, data: bytes) -> bytes:
        at = self._at(data)
        new = self._random.choice((self._random.randrange(256), 32, 34, 44, 58, 91, 123))
        return data[:at] + bytes((new,)) + data[at + 1 :]

    def _insert(self, data: bytes) -> bytes:
        at = self._at(data)
        return data[:at] + self._random.randbytes(self._random.choice((1, 1, 2, 4))) + data[at:]

    def _remove(self, data: bytes) -> bytes:
        start, end = self._span(data)
        return data[:start] + data[end:]

    def _repeat(self, data: bytes) -> bytes:
        start, end = self._span(data)
        times = self._random.choice((1, 1, 2, 8, 70))
        return data[:end] + data[start:end] * times + data[end:]

    def _tokens(self, data: bytes) -> list[tuple[int, int]]:
        return [found.span() for found in _TOKEN.finditer(data)]

    def _token(self, data: bytes) -> bytes:
        """Another value or key in the place of one."""
        spans = [s for s in self._tokens(data) if data[s[0]] not in b",:{}[]"]
        if not spans:
            return self._spice(data)
        start, end = self._random.choice(spans)
        return data[:start] + self._random.choice(_SPICE) + data[end:]

    def _token_swap(self, data: bytes) -> bytes:
        spans = [s for s in self._tokens(data) if data[s[0]] not in b",:{}[]"]
        if len(spans) < 2:
            return self._spice(data)
        (a, b), (c, d) = sorted(self._random.sample(spans, 2))
        return data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:]

    def _token_remove(self, data: bytes) -> bytes:
        """From one comma to the next: a member or an element goes, or stands twice."""
        commas = [s for s, _ in self._tokens(data) if data[s] == 44]
        if len(commas) < 2:
            return self._remove(data)
        at = self._random.randrange(len(commas) - 1)
        start, end = commas[at], commas[at + 1]
        gone = self._random.random() < 0.6
        return data[:start] + data[end:] if gone else data[:end] + data[start:end] + data[end:]

    def _splice(self, data: bytes) -> bytes:
        if not self._crossed:
            return self._insert(data)
        other = self._random.choice(self._crossed)
        start = self._at(other)
        end = min(len(other), start + self._random.choice((4, 16, 64, 256)))
        at, upto = self._span(data)
        return data[:at] + other[start:end] + data[upto if self._random.random() < 0.5 else at :]

    def _spice(self, data: bytes) -> bytes:
        at = self._at(data)
        return data[:at] + self._random.choice(_SPICE) + data[at:]

    def _line(self, data: bytes) -> bytes:
        lines = data.split(b"\n")
        at = self._random.randrange(len(lines))
        match self._random.randrange(3):
            case 0:
                del lines[at]
            case 1:
                lines.insert(self._random.randint(0, len(lines)), lines[at])
            case _:
                other = self._random.randrange(len(lines))
                lines[at], lines[other] = lines[other], lines[at]
        return b"\n".join(lines)
