import os
from pathlib import Path

import pytest
from sqlalchemy import Engine

from lockgate.control_plane.services.keys import DAY_MS
from lockgate.control_plane.services.secret_status import Status, status_of, wrong
from support.secret_care import ENV, NOW, OLD, Care


@pytest.fixture
def care(tmp_path: Path, sqlite: Engine) -> Care:
    return Care(tmp_path, sqlite)


def aged(care: Care, days: int) -> None:
    moment = (NOW - days * DAY_MS) * 1_000_000
    os.utime(care.path, ns=(moment, moment))


def statuses(care: Care) -> tuple[Status, Status]:
    """Of the variable and of the file."""
    env, file = status_of(care.desk, care.now)
    return env, file


def test_a_young_secret_is_well(care: Care) -> None:
    aged(care, 89)
    _, file = statuses(care)
    assert (file.state, file.detail, file.made) == ("ok", "", NOW - 89 * DAY_MS)
    assert not wrong([file])


def test_an_old_one_is_overdue(care: Care) -> None:
    aged(care, 91)
    _, file = statuses(care)
    assert (file.state, file.detail) == ("overdue", "it is 91 days old, and 90 are allowed")
    care.days = 100
    assert statuses(care)[1].state == "ok"


def test_one_of_unknown_age_counts_as_overdue(care: Care) -> None:
    env, _ = statuses(care)
    assert env.state == "age unknown"
    assert wrong([env])


def test_one_that_cannot_be_read_is_failing_and_what_was_known_of_it_stays(care: Care) -> None:
    before = statuses(care)[1]
    care.path.unlink()
    care.now += 5
    after = statuses(care)[1]
    assert (after.state, after.version, after.first_seen) == ("failing", before.version, NOW)
    assert "cannot be read" in after.detail


def test_one_that_was_refused_is_failing_until_it_changes(care: Care) -> None:
    aged(care, 1)
    statuses(care)
    care.ledger.probed(care.file, "refused", NOW)
    assert statuses(care)[1].state == "failing"
    care.path.write_text("another")
    aged(care, 0)
    assert statuses(care)[1].state == "ok"


def test_who_uses_it(care: Care) -> None:
    env, file = statuses(care)
    assert [use.upstream for use in env.uses] == ["clinic"]
    assert care.desk.upstreams(ENV) == ("clinic",)
    assert file.uses[0].setting == "upstreams.shop.headers.Authorization"


def test_no_value_is_shown(care: Care) -> None:
    found = repr(statuses(care))
    assert OLD not in found
    assert care.environ[ENV.name] not in found
