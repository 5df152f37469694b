from support.desk import Desk


def test_a_file_is_loaded_and_listed(desk: Desk) -> None:
    file = desk.root / "teams.csv"
    file.write_text("entity,relation,who\np-011,lead,dora\np-012,lead,erin\n")
    assert desk.type("relations", "load", "hr", file).out == "hr says 2\n"
    found = desk.type("relations", "list", "--entity", "p-011", "--json")
    assert found.json == [{"entity": "p-011", "relation": "lead", "who": "dora"}]
    assert "erin" in desk.type("relations", "list").out
    file.write_text("entity,relation,who\np-011,lead\n")
    refused = desk.type("relations", "load", "hr", file)
    assert (refused.code, "line 2" in refused.err) == (3, True)
    assert "erin" in desk.type("relations", "list").out
    file.write_text("entity,relation,who\n")
    assert desk.type("relations", "load", "hr", file, "--json").json == {"source": "hr", "count": 0}
    assert desk.type("relations", "list").err == "No relation is known.\n"


def test_a_file_that_is_not_there(desk: Desk) -> None:
    assert desk.type("relations", "load", "hr", desk.root / "none.csv").code == 3
