import orjson
import pytest

from bench.messages import fault, request
from bench.upstream import answer


@pytest.mark.parametrize("dialect", ["modern", "legacy"])
def test_a_tool_says_again_what_it_was_told(dialect: str) -> None:
    ask = request(3, "echo_0", 600, "modern" if dialect == "modern" else "legacy")
    said = {"jsonrpc": "2.0", "id": 3, **answer(orjson.loads(ask.body), 1)}
    assert fault(ask, 200, orjson.dumps(said)) == ""
    assert ("resultType" in said["result"]) is (dialect == "modern")


def test_both_eras_can_open_it_and_other_methods_are_unknown() -> None:
    assert answer({"method": "initialize"}, 1)["result"]["protocolVersion"]
    assert answer({"method": "server/discover"}, 1)["result"]["supportedVersions"]
    assert len(answer({"method": "tools/list"}, 3)["result"]["tools"]) == 3
    assert answer({"method": "resources/list"}, 1)["error"]["code"] == -32601
