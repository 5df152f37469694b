import asyncio
from pathlib import Path
from typing import Any

import pytest

from lockgate.app.channel_desk import channel_desk, send
from lockgate.app.settings import Settings
from lockgate.approval.channels import NotTaken, Webhook
from lockgate.approval.messages import Message
from support.channels import SECRET, verified, webhook
from support.paper_server import Paper, PaperServer

TEST = Message("m1", "asked", 1, ())


def settings(folder: Path) -> Settings:
    (folder / "hook").write_text(SECRET)
    (folder / "hook").chmod(0o600)
    hook = {"kind": "webhook", "url": "https://ops.example/hook", "secret": f"file:{folder}/hook"}
    given: dict[str, Any] = {"data_dir": str(folder / "data"), "approvals": {"channels": {
        "ops": hook, "gone": {**hook, "secret": f"file:{folder}/none"}}}}  # fmt: skip
    return Settings.model_validate(given)


def test_channels_come_with_their_secrets_or_with_what_is_wrong(tmp_path: Path) -> None:
    with channel_desk(settings(tmp_path)) as desk:
        ops = desk.channels["ops"]
        assert isinstance(ops, Webhook)
        assert ops.secrets == (SECRET,)
        assert "none" in desk.channels["gone"].broken
        assert desk.store.health() == {}


async def test_a_message_is_sent_as_the_gateway_would() -> None:
    async with PaperServer() as server:
        server.pages["/hook"] = Paper(status=204)
        await asyncio.to_thread(send, webhook(server), TEST)
        assert verified(server.asked[0])["type"] == "approval.test"
        with pytest.raises(NotTaken, match="404"):
            await asyncio.to_thread(send, webhook(server, url=f"{server.url}/other"), TEST)
