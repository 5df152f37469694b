"""Which addresses a login may go to, and under which name it is kept."""

from ipaddress import ip_address

from pyreqwest.http import Url

from lockgate.control_plane.services.refused import Refused


def checked(url: str, what: str) -> Url:
    """An ``https:`` URL, or an ``http:`` one of this machine (MCP 2026-07-28, Authorization,
    Communication Security). Raises ``Refused``; ``what`` says whose address it is.

    Addresses of private networks are allowed: companies have their authorization server there, and
    it is the person's own machine that asks.
    """
    try:
        found = Url(url)
    except ValueError:
        raise Refused(f"{what} is not a URL.") from None
    if found.scheme not in ("http", "https") or not found.host_str:
        raise Refused(f"{what} is not an https:// URL.")
    if found.username or found.password is not None or found.fragment is not None:
        raise Refused(f"{what} holds a user name, a password or a fragment.")
    if found.scheme == "http" and not is_loopback(found):
        raise Refused(f"{what} is not https://, and not on this machine.",
                      "A token would cross the network in the clear.")  # fmt: skip
    return found


def is_loopback(url: Url) -> bool:
    host = (url.host_str or "").strip("[]")
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def gateway_of(url: Url) -> str:
    """The name a login is kept under: the URL up to ``/mcp``, so that one login serves
    ``/mcp/<upstream>`` too, and no other service of that host."""
    kept: list[str] = []
    for segment in url.path.split("/"):
        kept.append(segment)
        if segment == "mcp":
            break
    return url.origin_ascii + "/".join(kept).rstrip("/")


def covers(resource: str, url: Url) -> bool:
    """Whether a token for ``resource`` may be sent to ``url``: same origin, and ``url`` is it or
    below it (RFC 9728 section 3.3, RFC 8707)."""
    try:
        root = Url(resource)
    except ValueError:
        return False
    path = root.path.rstrip("/")
    below = url.path == root.path or url.path == path or url.path.startswith(path + "/")
    return root.origin_ascii == url.origin_ascii and below and root.query_string is None


def protected_resource_places(url: Url) -> list[str]:
    """RFC 9728 section 3.1: the path inserted, then the root (MCP, Protected Resource Metadata
    Discovery). A path below ``/mcp`` is one server of the gateway, whose resource is ``/mcp``."""
    known = url.origin_ascii + "/.well-known/oauth-protected-resource"
    gateway = gateway_of(url).removeprefix(url.origin_ascii)
    path = url.path.rstrip("/")
    return list(dict.fromkeys([known + path, known + gateway, known]))


def authorization_server_places(issuer: Url) -> list[str]:
    """In the order of MCP 2026-07-28, Authorization Server Metadata Discovery (RFC 8414 section 3
    and 5, OpenID Connect Discovery 1.0 section 4)."""
    origin, path = issuer.origin_ascii, issuer.path.rstrip("/")
    oauth, openid = "/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"
    if not path:
        return [origin + oauth, origin + openid]
    return [origin + oauth + path, origin + openid + path, origin + path + openid]
