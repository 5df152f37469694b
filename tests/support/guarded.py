"""The small endpoint behind a credential, as an upstream that checks who calls it."""

from support.upstream_endpoint import FakeEndpoint, Out, Received


class GuardedEndpoint(FakeEndpoint):
    def __init__(self, *accepted: str, era: str = "modern") -> None:
        super().__init__(era)
        self.accepted = {f"Bearer {one}" for one in accepted}
        """Values of ``Authorization``."""
        self.broken = False
        """It fails before it looks at the credential."""

    def accept(self, *tokens: str) -> None:
        """These and no others from now on."""
        self.accepted = {f"Bearer {one}" for one in tokens}

    async def _handle(self, got: Received, out: "Out") -> None:
        if self.broken:
            await out.empty(502)
        elif got.header("authorization") in self.accepted:
            await super()._handle(got, out)
        else:
            await out.empty(401)
