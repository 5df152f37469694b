"""A running gateway that an identity provider writes to."""

from pathlib import Path
from typing import Any

import httpx2

from support.gateway import Gateway, child

SECRET = "a-secret-of-this-endpoint-alone-0123456789"
USER = "urn:ietf:params:scim:schemas:core:2.0:User"
PATCH = "urn:ietf:params:scim:api:messages:2.0:PatchOp"


def gateway(folder: Path, roles: dict[str, str] | None = None, **more: Any) -> Gateway:
    """With keys for alice and bob, whom nobody has told of yet. ``more``: settings."""
    people = {"scim_secrets": "file:scim.secret", "roles": roles or {}}
    made = Gateway(folder / "gate", {"echo": child("modern")}, people=people, **more)
    (made.folder / "scim.secret").write_text(SECRET + "\n")
    made.key("alice")
    made.key("bob")
    return made


def provider(gate: Gateway, secret: str = SECRET) -> httpx2.Client:
    headers = {"authorization": f"Bearer {secret}"}
    return httpx2.Client(base_url=f"{gate.base}/scim/v2", headers=headers, timeout=20)


def make(idp: httpx2.Client, name: str, **more: Any) -> str:
    answer = idp.post("/Users", json={"schemas": [USER], "userName": name, **more})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def deactivate(idp: httpx2.Client, id: str, value: Any = False) -> None:
    step = {"op": "Replace", "path": "active", "value": value}
    answer = idp.patch(f"/Users/{id}", json={"schemas": [PATCH], "Operations": [step]})
    assert (answer.status_code, answer.json()["active"]) == (200, False)
