import mcp_types.methods as spec
import pytest

from lockgate.model.call import EraName
from lockgate.wire import methods, tasks, versions

PASSED = {
    "tools/list", "tools/call", "prompts/list", "prompts/get", "resources/list",
    "resources/templates/list", "resources/read", "completion/complete",
}  # fmt: skip


@pytest.mark.parametrize(("era", "version"), [("legacy", "2025-11-25"), ("modern", "2026-07-28")])
def test_the_table_knows_every_client_method_of_the_specification(
    era: EraName, version: str
) -> None:
    known = {m for m, v in spec.CLIENT_REQUESTS if v == version}
    rows = methods.METHODS.values()
    ours = {r.name for r in rows if era in r.eras and not r.notification and r.kind != "ask"}
    # The tasks extension is in our table and not among the core's methods.
    assert {m for m in ours if not m.startswith("tasks/")} == {
        m for m in known if not m.startswith("tasks/")
    }


def test_what_is_forwarded_is_what_this_stage_carries() -> None:
    forwarded = {r.name for r in methods.METHODS.values() if r.kind in ("list", "item")}
    assert forwarded == PASSED
    followed = {r.name for r in methods.METHODS.values() if r.kind == "task"}
    assert followed == {tasks.GET, tasks.UPDATE, tasks.CANCEL}


def test_what_upstreams_ask_is_what_the_specification_names() -> None:
    named = {m for m, version in spec.SERVER_REQUESTS if version == "2025-11-25"}
    assert named - {"ping"} == methods.ASKS


def test_cacheable_is_as_the_specification_says() -> None:
    ours = {r.name for r in methods.METHODS.values() if r.cacheable}
    assert ours == spec.CACHEABLE_METHODS


@pytest.mark.parametrize(
    ("method", "era"),
    [
        ("ping", "modern"),
        ("initialize", "modern"),
        ("server/discover", "legacy"),
        ("logging/setLevel", "modern"),
        ("resources/subscribe", "modern"),
        ("subscriptions/listen", "legacy"),
        ("tasks/get", "legacy"),
        ("tasks/result", "legacy"),
        ("elicitation/create", "legacy"),
        ("sampling/createMessage", "modern"),
        ("roots/list", "modern"),
        ("made/up", "legacy"),
        ("notifications/cancelled", "legacy"),
    ],
)
def test_what_does_not_pass_is_unknown(method: str, era: EraName) -> None:
    assert methods.find(method, era) is None


def test_a_request_is_no_notification() -> None:
    assert methods.find("notifications/cancelled", "modern", notification=True) is not None
    assert methods.find("tools/call", "modern", notification=True) is None


def test_the_type_of_a_reference_decides_what_it_names() -> None:
    row = methods.METHODS["completion/complete"]
    both = b'{"type":"%b","name":"p","uri":"u"}'
    prompt = methods.target_in(row, {"ref": both % b"ref/prompt"})
    template = methods.target_in(row, {"ref": both % b"ref/resource"})
    assert prompt is not None
    assert (prompt.names, prompt.path) == ("prompt", ("ref", "name"))
    assert template is not None
    assert (template.names, template.path) == ("template", ("ref", "uri"))
    assert methods.target_in(row, {"ref": both % b"ref/other"}) is None


def test_versions_and_table_agree() -> None:
    assert set(versions.SUPPORTED) == {*versions.LEGACY, *versions.MODERN}
