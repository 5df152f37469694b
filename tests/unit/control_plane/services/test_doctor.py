import msgspec
import pytest

from lockgate.control_plane.services.doctor import (
    Check,
    ClientSeen,
    DatedSeen,
    Grade,
    Observations,
    PathSeen,
    PortSeen,
    UpstreamSeen,
    diagnose,
    worst,
)
from lockgate.control_plane.services.keys import DAY_MS
from lockgate.model import KeyRecord
from lockgate.model.problem import Problem

NOW = 1_800_000_000_000


def key(days: int, revoked: int = 0) -> KeyRecord:
    expires = NOW + days * DAY_MS
    return KeyRecord("k", "personal", "a", "a", frozenset(), "", "h", NOW, expires, revoked)


def dated(name: str, days: int) -> DatedSeen:
    return DatedSeen(name, "/f", NOW + days * DAY_MS)


WELL = Observations(
    config="lockgate.yaml", now=NOW, policy_count=1, data_dir=PathSeen("/d", True, 0o700),
    secrets=(PathSeen("/d/s", True, 0o600),), port=PortSeen("a:1", False),
    upstreams=(UpstreamSeen("git", True, "starts /usr/bin/git."),), keys=(key(90),),
    clients=(ClientSeen("cursor", "/c", (), True),),
)  # fmt: skip


def grades(**changes: object) -> dict[str, Grade]:
    """The worst grade under each name, for ``WELL`` with ``changes``."""
    checks = diagnose(msgspec.structs.replace(WELL, **changes))
    return {c.name: worst(o for o in checks if o.name == c.name) for c in checks}


def test_a_deployment_that_is_well() -> None:
    checks = diagnose(WELL)
    assert {c.grade for c in checks} == {"ok"}
    assert {c.name for c in checks} == {
        "configuration", "policies", "data", "secrets", "port", "upstream git", "keys",
        "client cursor",
    }  # fmt: skip
    assert worst(checks) == "ok"


@pytest.mark.parametrize(
    ("changes", "name", "grade"),
    [
        ({"problems": (Problem("wrong", "f", 1, 1),)}, "configuration", "fail"),
        ({"policy_problems": (Problem("wrong", "f", 1, 1),)}, "policies", "fail"),
        ({"policy_count": 0}, "policies", "warn"),
        ({"data_dir": PathSeen("/d", True, 0o755)}, "data", "fail"),
        ({"data_dir": PathSeen("/d", False)}, "data", "ok"),
        ({"data_dir": PathSeen("/d", True, 0o700, ours=False)}, "data", "fail"),
        ({"secrets": (PathSeen("/d/s", True, 0o640),)}, "secrets", "fail"),
        ({"secrets": (PathSeen("/d/s", False),)}, "secrets", "fail"),
        ({"dates": (dated("certificate", 90),)}, "certificate", "ok"),
        ({"dates": (dated("certificate", 3),)}, "certificate", "warn"),
        ({"dates": (dated("certificate", -1),)}, "certificate", "fail"),
        ({"dates": (DatedSeen("certificate", "/c", 0, "gone"),)}, "certificate", "fail"),
        ({"dates": (dated("revocation", 1),)}, "revocation", "ok"),
        ({"dates": (dated("revocation", -1),)}, "revocation", "fail"),
        ({"port": PortSeen("a:1", True)}, "port", "fail"),
        ({"port": PortSeen("a:1", True, True, True)}, "port", "ok"),
        ({"port": PortSeen("a:1", True, True, True, "configuration: old")}, "port", "warn"),
        ({"port": PortSeen("a:1", True, True, False)}, "port", "warn"),
        ({"upstreams": ()}, "upstreams", "warn"),
        ({"upstreams": (UpstreamSeen("git", False, "gone"),)}, "upstream git", "fail"),
        ({"upstreams": (UpstreamSeen("git", False, missing=("x",)),)}, "upstream git", "fail"),
        ({"upstreams": (UpstreamSeen("git", False, unset=("x",)),)}, "upstream git", "warn"),
        ({"keys": ()}, "keys", "warn"),
        ({"keys": (key(-1), key(90, revoked=1))}, "keys", "warn"),
        ({"keys": (key(3),)}, "keys", "warn"),
        ({"store_trouble": "down"}, "keys", "fail"),
        ({"clients": (ClientSeen("cursor", "/c", ("git",), True),)}, "client cursor", "warn"),
    ],
)  # fmt: skip
def test_each_thing_that_may_be_wrong(changes: dict[str, object], name: str, grade: Grade) -> None:
    assert grades(**changes)[name] == grade


def test_whatever_is_not_well_says_what_to_do() -> None:
    bad = Observations(
        "f", NOW, policy_problems=(Problem("p"),), data_dir=PathSeen("/d", True, 0o777),
        secrets=(PathSeen("/s", False),), port=PortSeen("a", True),
        upstreams=(UpstreamSeen("a", False, "x", ("m",)), UpstreamSeen("b", False, "x")),
        keys=(), clients=(ClientSeen("cursor", "/c", ("git",), False),),
    )  # fmt: skip
    checks = diagnose(bad)
    assert all(c.remedy for c in checks if c.grade != "ok")
    assert worst(checks) == "fail"


def test_with_a_broken_configuration_nothing_is_said_of_what_it_would_name() -> None:
    checks = diagnose(Observations("f", NOW, problems=(Problem("wrong", remedy="Mend."),)))
    assert [c.name for c in checks] == ["configuration"]
    assert checks[0].remedy == "Mend."


def test_the_worst_of_nothing_is_ok() -> None:
    assert worst([]) == "ok"
    assert worst([Check("a", "warn", ""), Check("b", "ok", "")]) == "warn"
