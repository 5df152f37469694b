"""``lockgate stdio --login``: the shim under the login of the person at this machine.

Not loaded for a shim under a key, and loads none of the gateway's engines either.
"""

import time
from collections.abc import Mapping
from pathlib import Path

from lockgate.app import ingress_stdio
from lockgate.app.bearer import Bearer
from lockgate.app.login.addresses import checked, covers, gateway_of
from lockgate.app.login.fetching import fetch
from lockgate.app.login.kept import open_store
from lockgate.app.login.renewal import LoginBearer
from lockgate.app.shim import complain
from lockgate.control_plane.services.refused import Refused


def by_login(url: str, options: Mapping[str, str]) -> Bearer | None:
    file = options.get("--insecure-file")
    try:
        address = checked(url, "The gateway's URL")
        store = open_store(Path(file) if file else None)
        kept = store.get(gateway_of(address))
    except Refused as refused:
        complain(f"{refused.why} {refused.remedy}".strip())
        return None
    if kept is None:
        complain(f"not signed in to {gateway_of(address)}: run `lockgate login --url {url}`")
        return None
    if not covers(kept.resource, address):
        complain(f"the login is for {kept.resource}, not for {url}")
        return None
    return LoginBearer(store, kept.gateway, fetch, time.time)


def run() -> int:
    return ingress_stdio.run(by_login)
