"""The one fetcher: what it asks, and everything it must not be talked into asking."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from lockgate.model.fetch import Fetch, FetchFailed
from lockgate.upstream.fetch import Fetcher, Reach, origin_of, resolve_by_system
from unit.upstream.test_http1 import OK, Server, certificate, listening

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


def resolving(*answers: Sequence[str]) -> Resolve:
    """Each question gets the next of the answers; the last one stays."""
    left = list(answers)

    async def resolve(host: str, port: int) -> Sequence[str]:
        return left.pop(0) if len(left) > 1 else left[0]

    return resolve


def fetcher(*origins: str, internal: Sequence[str] = (), resolve: Resolve | None = None) -> Fetcher:
    reach = Reach(frozenset(origins), frozenset(internal))
    return Fetcher(lambda: reach, resolve or resolve_by_system, seconds=5, most=1000)


async def refused(fetch: Fetch, url: str) -> str:
    with pytest.raises(FetchFailed) as failed:
        await fetch("GET", url)
    return str(failed.value)


async def test_a_listed_internal_origin_is_asked_and_its_answer_comes_whole() -> None:
    answer = b"HTTP/1.1 404 Not Found\r\nContent-Type: text/x\r\ncontent-length: 2\r\n\r\nok"
    server = Server(answer)
    async with listening(server) as port:
        at = f"http://127.0.0.1:{port}"
        fetch: Fetch = fetcher(internal=[at])
        found = await fetch("POST", f"{at}/token?a=b", {"X": "1"}, b"body")
    assert (found.status, found.body, found.headers["content-type"]) == (404, b"ok", "text/x")
    sent = server.requests[0].lower()
    assert sent.startswith(b"post /token?a=b http/1.1\r\n")
    assert sent.endswith(b"\r\n\r\nbody")
    assert b"\r\nx: 1\r\n" in sent
    assert b"accept-encoding: identity" in sent
    assert b"cookie" not in sent


async def test_a_reload_changes_what_may_be_asked_at_once() -> None:
    async with listening(Server(OK)) as port:
        at = f"http://127.0.0.1:{port}"
        reach = Reach()
        fetch = Fetcher(lambda: reach)
        assert "not among the origins" in await refused(fetch, at)
        reach = Reach(internal=frozenset({at}))
        assert (await fetch("GET", at)).body == b"ok"


async def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with listening(Server(OK)) as port:
        at = f"http://127.0.0.1:{port}"
        assert (await fetcher(internal=[at])("GET", at)).status == 200


@pytest.mark.parametrize(
    "url",
    [
        "https://other.example.org/x",
        "https://good.example.org:444/x",
        "http://good.example.org/x",
        "https://good.example.org.evil.example/x",
        "https://good.example.org@evil.example/x",
        "https://evil.example#good.example.org",
    ],
)
async def test_an_origin_that_is_not_listed_is_not_even_resolved(url: str) -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        raise AssertionError(host)

    said = await refused(fetcher("https://good.example.org", resolve=resolve), url)
    assert "may be asked" in said or "never asked" in said


@pytest.mark.parametrize(
    "url",
    ["https://u:p@good.example.org/", "https://good.example.org/#x", "https://u@good.example.org/"],
)
async def test_a_url_with_a_user_or_a_fragment_is_refused(url: str) -> None:
    said = await refused(fetcher("https://good.example.org"), url)
    assert said == "a URL with a user or a fragment is never asked"


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "ftp://good.example.org/", "https://", "javascript:1", "https://["],
)
async def test_what_is_no_http_url_is_refused(url: str) -> None:
    assert "not an http" in await refused(fetcher("https://good.example.org"), url)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.1.2.3", "172.31.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "0.0.0.0", "0.1.2.3", "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.2.1",  # noqa: S104
        "::1", "::", "fe80::1", "fe80::1%eth0", "fd00:ec2::254", "ff02::1", "2001:db8::1",
        "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::",
        "2001:0:4136:e378:8000:63bf:3fff:fdd2", "fec0::1", "not an address",
    ],
)  # fmt: skip
async def test_a_name_that_leads_inside_is_refused(address: str) -> None:
    fetch = fetcher("https://good.example.org", resolve=resolving([address]))
    assert "may not be asked" in await refused(fetch, "https://good.example.org/")


@pytest.mark.parametrize(
    "host", ["2130706433", "0x7f000001", "0177.0.0.1", "127.1", "[::ffff:127.0.0.1]", "[::1]"]
)
async def test_a_host_that_spells_loopback_in_another_way_is_refused(host: str) -> None:
    """Listed, as it were by an operator who was fooled; but not as internal."""
    assert "address" in await refused(fetcher(f"https://{host}"), f"https://{host}/")


async def test_one_bad_address_among_good_ones_spoils_the_name() -> None:
    resolve = resolving(["8.8.8.8", "127.0.0.1"])
    fetch = fetcher("https://good.example.org", resolve=resolve)
    assert "may not be asked" in await refused(fetch, "https://good.example.org/")


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1", "224.0.0.1", "::"])
async def test_even_an_internal_origin_is_never_at_a_link_local_address(address: str) -> None:
    fetch = fetcher(internal=["https://idp.corp"], resolve=resolving([address]))
    assert "may not be asked" in await refused(fetch, "https://idp.corp/")


async def test_plain_http_goes_to_this_machine_only() -> None:
    fetch = fetcher(internal=["http://idp.corp"], resolve=resolving(["10.0.0.1"]))
    assert "may not be asked" in await refused(fetch, "http://idp.corp/")


async def test_the_address_that_was_looked_at_is_the_one_connected_to() -> None:
    """DNS rebinding: a second question would get another answer, so there is none."""
    asked = []

    async def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["169.254.169.254"]

    server = Server(OK)
    async with listening(server) as port:
        at = f"http://rebinding.example:{port}"
        found = await fetcher(internal=[at], resolve=resolve)("GET", f"{at}/x")
    assert (found.body, asked) == (b"ok", ["rebinding.example"])
    assert f"host: rebinding.example:{port}".encode() in server.requests[0]


async def test_a_name_that_turns_to_the_inside_later_is_refused_then() -> None:
    resolve = resolving(["127.0.0.1"], ["169.254.169.254"])
    async with listening(Server(OK, OK)) as port:
        at = f"http://rebinding.example:{port}"
        fetch = fetcher(internal=[at], resolve=resolve)
        assert (await fetch("GET", at)).status == 200
        assert "may not be asked" in await refused(fetch, at)


async def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    moved = (
        b"HTTP/1.1 302 Found\r\nlocation: http://169.254.169.254/latest/meta-data\r\n"
        b"content-length: 0\r\n\r\n"
    )
    server = Server(moved)
    async with listening(server) as port:
        at = f"http://127.0.0.1:{port}"
        found = await fetcher(internal=[at])("GET", at)
    assert (found.status, found.body, len(server.requests)) == (302, b"", 1)


async def test_an_answer_without_end_is_cut() -> None:
    huge = b"HTTP/1.1 200 OK\r\ncontent-length: 2000\r\n\r\n" + b"x" * 2000
    async with listening(Server(huge)) as port:
        at = f"http://127.0.0.1:{port}"
        assert "more than 1000 bytes" in await refused(fetcher(internal=[at]), at)


async def test_an_answer_that_does_not_come_is_given_up() -> None:
    async with listening(Server()) as port:
        at = f"http://127.0.0.1:{port}"
        reach = Reach(internal=frozenset({at}))
        said = await refused(Fetcher(lambda: reach, seconds=0.1), at)
    assert said == "127.0.0.1: no answer in 0.1 s"


async def test_a_name_that_takes_too_long_is_given_up() -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    reach = Reach(frozenset({"https://slow.example"}))
    fetch = Fetcher(lambda: reach, resolve, seconds=0.1)
    assert "no answer" in await refused(fetch, "https://slow.example/")


async def test_a_name_that_is_not_known_is_told_without_more() -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        raise OSError(-2, "Name or service not known")

    fetch = fetcher("https://none.example", resolve=resolve)
    assert "none.example: not resolved" in await refused(fetch, "https://none.example/")


async def test_a_name_without_an_address_is_told() -> None:
    fetch = fetcher("https://none.example", resolve=resolving([]))
    assert "has no address" in await refused(fetch, "https://none.example/")


async def test_the_next_address_is_tried_where_nothing_was_sent_to_the_first() -> None:
    async with listening(Server(OK)) as port:
        at = f"http://two.example:{port}"
        fetch = fetcher(internal=[at], resolve=resolving(["127.0.0.2", "127.0.0.1"]))
        assert (await fetch("GET", at)).status == 200


async def test_nothing_is_asked_twice_once_it_was_sent() -> None:
    server = Server(b"garbage\r\n\r\n", OK)
    async with listening(server) as port:
        at = f"http://two.example:{port}"
        fetch = fetcher(internal=[at], resolve=resolving(["127.0.0.1", "127.0.0.1"]))
        await refused(fetch, at)
    assert len(server.requests) == 1


async def test_the_certificate_must_be_the_names_whatever_address_it_has(tmp_path: Path) -> None:
    serving, trusting = certificate(tmp_path, "auth.example")
    async with listening(Server(OK, OK), serving) as port:
        for name in ("auth.example", "other.example"):
            at = f"https://{name}:{port}"
            reach = Reach(internal=frozenset({at}))
            fetch = Fetcher(lambda: reach, resolving(["127.0.0.1"]), trusting)  # noqa: B023
            if name == "auth.example":
                assert (await fetch("GET", at)).body == b"ok"
            else:
                assert "certificate is not valid" in await refused(fetch, at)


async def test_what_is_sent_never_stands_in_an_error() -> None:
    async with listening(Server(b"garbage\r\n\r\n")) as port:
        at = f"http://127.0.0.1:{port}"
        with pytest.raises(FetchFailed) as failed:
            await fetcher(internal=[at])("POST", at, {"Authorization": "Basic s3cret"}, b"s3cret")
    assert "s3cret" not in f"{failed.value!r} {failed.value.__cause__!r}"


def test_origins_are_compared_without_default_ports_and_case() -> None:
    assert origin_of("HTTPS://Auth.Example:443/x") == "https://auth.example"
    assert origin_of("http://[::1]:80/") == "http://[::1]"
    assert origin_of("https://bücher.example:8443") == "https://xn--bcher-kva.example:8443"
