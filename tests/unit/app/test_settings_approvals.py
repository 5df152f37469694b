from typing import Any

import pytest
from pydantic import ValidationError

from lockgate.app.settings_approvals import Approvals, FactorSettings, approval_rules_of
from lockgate.app.settings_issuers import IssuerSettings
from lockgate.approval.rules import MINUTE_MS, FactorRule
from lockgate.control_plane.services.privileges import Rules


def test_what_is_written_becomes_the_rule() -> None:
    found = Approvals.model_validate({
        "factors": {"care": {"relation": "lead", "argument": "/patient_id", "count": 2,
                             "escalate_to": "oidc:dora", "minutes": 30}},
        "vetoers": ["oidc:vera"],
    })  # fmt: skip
    rules = approval_rules_of(found)
    assert rules.vetoers == {"oidc:vera"}
    assert rules.of("care") == FactorRule(
        relation="lead", argument="/patient_id", count=2, pending=30 * MINUTE_MS,
        escalate_to=("oidc:dora",), escalate_after=5 * MINUTE_MS,
    )  # fmt: skip
    assert rules.of("other").open


@pytest.mark.parametrize(
    "wrong",
    [
        {"relation": "lead"},
        {"argument": "/x"},
        {"confirm": True, "people": ["oidc:a"]},
        {"confirm": True, "count": 2},
        {"people": ["alice"]},
        {"count": 0},
        {"minutes": 1441},
        {"argument": "x", "relation": "lead"},
        {"unknown": 1},
    ],
)
def test_what_makes_no_sense_is_refused(wrong: Any) -> None:
    with pytest.raises(ValidationError):
        FactorSettings.model_validate(wrong)


def test_what_issuers_put_before_names_is_known() -> None:
    issuers = {name: IssuerSettings.model_validate({"url": f"https://{name}.example.org", **said})
               for name, said in (("corp", {}), ("own", {"namespace": ""}))}  # fmt: skip
    assert approval_rules_of(Approvals(), Rules(), issuers).namespaces == {"corp/"}
