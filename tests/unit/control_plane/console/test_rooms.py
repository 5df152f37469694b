from lockgate.control_plane.console.rooms import ROLES, ROOMS, room_at, topics_for
from lockgate.control_plane.services.duties import PAGES


def test_every_room_is_a_page_and_has_a_name_of_its_own() -> None:
    assert {room.path for room in ROOMS} <= set(PAGES)
    assert len({room.label for room in ROOMS}) == len(ROOMS)


def test_a_page_belongs_to_the_room_whose_path_it_continues() -> None:
    for room in ROOMS:
        assert room_at(room.path) == room
    found = room_at(f"{ROLES}/x")
    assert found is not None
    assert found.path == ROLES
    assert room_at("/console/rolesx") is None
    assert room_at("/console/none") is None


def test_who_may_come_into_a_room_is_told_of_what_it_shows() -> None:
    for room in ROOMS:
        takes = PAGES[room.path].roles
        assert room.open_to(frozenset()) == (not takes)
        for role in takes:
            assert room.topics <= topics_for(frozenset({role}))
    assert topics_for(frozenset()) >= {"inquiry"}
