"""The demo's identity provider on the Node.js that tests have."""

import os

from lockgate.app.demo.provider import Installed, find_provider
from support.gateway import ROOT

NODE_PATH = os.pathsep.join(str(ROOT / ".node" / one) for one in ("bin", "node_modules/.bin"))
"""What ``make`` puts before PATH."""


def installed() -> Installed:
    found = find_provider(NODE_PATH)
    assert isinstance(found, Installed), "run `sh scripts/setup_node.sh`"
    return found
