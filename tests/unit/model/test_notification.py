from msgspec.structs import replace

from lockgate.model.notification import Notification


def test_a_step_has_one_id_in_each_channel() -> None:
    one = Notification(channel="ops", inquiry="q1", kind="asked", made=1, due=1)
    assert replace(one, made=2, tries=5, state="sent").id == one.id
    others = (
        replace(one, channel="mail"),
        replace(one, inquiry="q2"),
        replace(one, kind="decided"),
    )
    assert len({one.id, *(other.id for other in others)}) == 4
