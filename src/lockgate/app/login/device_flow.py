"""Signing in on another device: for machines without a browser (RFC 8628)."""

from collections.abc import Awaitable, Callable

import msgspec

from lockgate.app.login.addresses import checked
from lockgate.app.login.code_flow import Means
from lockgate.app.login.grant import Grant, GrantRefused, Wanted, obtain, post_form
from lockgate.control_plane.services.refused import Refused
from lockgate.model.fetch import FetchFailed

GRANT = "urn:ietf:params:oauth:grant-type:device_code"
LONGEST_SECONDS = 1800.0
_SLOWER, _TROUBLE = 5.0, 5
"""Seconds more a ``slow_down`` asks for (section 3.5), and requests that may fail on the way."""

Tell = Callable[[str, str], None]
"""Told the address to go to and the code to compare or type there."""


class Device(msgspec.Struct, frozen=True):
    """Section 3.2."""

    device_code: str
    user_code: str
    verification_uri: str
    expires_in: float
    verification_uri_complete: str = ""
    interval: float = 5.0


async def by_device(
    wanted: Wanted, means: Means, tell: Tell, pause: Callable[[float], Awaitable[object]]
) -> Grant:
    """Raises ``Refused``, ``GrantRefused``, ``FetchFailed``."""
    device = await _begin(wanted, means)
    tell(device.verification_uri, device.user_code)
    form = {"grant_type": GRANT, "device_code": device.device_code}
    ends = means.now() + min(device.expires_in, LONGEST_SECONDS)
    interval, trouble = max(device.interval, 1.0), 0
    while means.now() < ends:
        await pause(interval)
        try:
            return await obtain(wanted, form, means.fetch, means.now())
        except GrantRefused as refused:
            if refused.error not in ("authorization_pending", "slow_down"):
                raise
            interval += _SLOWER if refused.error == "slow_down" else 0
        except FetchFailed:
            trouble += 1
            interval += _SLOWER  # section 3.5: back off
            if trouble == _TROUBLE:
                raise
    raise Refused("Nobody signed in while the code was good.")


async def _begin(wanted: Wanted, means: Means) -> Device:
    server = wanted.server
    if not server.device_authorization_endpoint:
        raise Refused(f"{server.issuer} offers no sign-in by device code.", "Leave --device out.")
    asked = {"client_id": wanted.client_id, "scope": wanted.scope, "resource": wanted.resource}
    said = await post_form(server.device_authorization_endpoint, asked, means.fetch)
    try:
        device = msgspec.convert(said, Device)
    except msgspec.ValidationError:
        raise FetchFailed("the device authorization endpoint answered without a code") from None
    checked(device.verification_uri, f"The address that {server.issuer} gives")
    return device
