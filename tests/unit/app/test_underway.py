import pytest

from lockgate.app.underway import Opening, Underway, addressed, is_modern, peek, version_in

ANSWER = b'{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25"}}'


def said(method: str, params: str = "{}") -> Underway:
    return Underway(b'{"jsonrpc":"2.0","id":1,"method":"%b","params":%b}'
                    % (method.encode(), params.encode()))  # fmt: skip


def test_an_id_is_kept_as_it_was_written() -> None:
    assert [Underway(b'{"id":%b,"method":"m"}' % id).id for id in (b"1", b'"1"', b"1.0")] == [
        b"1", b'"1"', b"1.0",
    ]  # fmt: skip
    assert Underway(b'{"id":1,"result":{}}').id is None, "an answer asks nothing"
    assert Underway(b"nonsense").id is None


def test_what_holds_for_a_session_is_said_again_as_it_was_said_last() -> None:
    opening = Opening()
    opening.opened(b"{}", "s-1", ANSWER)
    level, louder = (said("logging/setLevel", f'{{"level":"{n}"}}') for n in ("info", "alert"))
    one, two, gone = (said("resources/subscribe", f'{{"uri":"{n}:1"}}') for n in "abc")
    for each in (level, one, two, gone, said("tools/list"), louder, Underway(b"nonsense")):
        opening.note(each)
    opening.note(said("resources/unsubscribe", '{"uri":"c:1"}'))
    initialized = b'{"jsonrpc":"2.0","method":"notifications/initialized"}'
    assert opening.again == [initialized, louder.line, one.line, two.line]
    opening.opened(b"{}", "s-2", ANSWER)
    assert opening.again == [initialized], "the client began anew"


def test_no_client_makes_us_keep_any_number_of_lines() -> None:
    opening = Opening()
    for number in range(1_000):
        opening.note(said("resources/subscribe", f'{{"uri":"a:{number}"}}'))
    assert len(opening.again) <= 101


@pytest.mark.parametrize(
    ("answer", "version"),
    [(ANSWER, "2025-11-25"), (b'{"result":[]}', None), (b"[]", None), (b"", None)],
)
def test_versions(answer: bytes, version: object) -> None:
    assert version_in(answer) == version


def test_eras_are_told_apart_by_the_envelope() -> None:
    envelope = b'{"params":{"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}}'
    assert is_modern(peek(envelope))
    for other in (b"{}", b'{"params":[]}', b'{"params":{"_meta":1}}', b'{"params":{"_meta":{}}}'):
        assert not is_modern(peek(other))


def test_a_refusal_that_names_nobody_is_addressed() -> None:
    assert addressed(b'{"id":null,"error":{}}', b'"x"') == b'{"id":"x","error":{}}'
    assert addressed(b'{"id":2,"error":{}}', b'"x"') == b'{"id":2,"error":{}}'
    assert addressed(b'{"id":null}', None) == b'{"id":null}'


def test_what_answers_a_request_is_its_response_and_nothing_else() -> None:
    call = said("tools/call")
    for other in (b'{"id":2,"result":{}}', b'{"id":"1","result":{}}', b"nonsense",
                  b'{"id":1,"method":"sampling/createMessage"}', b'{"method":"n/1"}'):  # fmt: skip
        call.hear(other)
        assert call.unanswered
    call.hear(b'{"jsonrpc":"2.0","id":1,"error":{}}')
    assert not call.unanswered
    cancelled = said("tools/call")
    cancelled.cancel()
    assert not cancelled.unanswered
    assert not Underway(b'{"method":"notifications/initialized"}').unanswered
