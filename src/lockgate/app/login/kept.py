"""Where this machine's logins are: the keychain, or the file its owner accepts instead."""

from pathlib import Path

from lockgate.app.login.store import InsecureFile, LoginStore
from lockgate.control_plane.services.refused import Refused

try:
    from lockgate.app.login.keychain import open_keychain
except ModuleNotFoundError as missing:
    if (missing.name or "").partition(".")[0] != "keyring":
        raise
    _has_keyring = False
else:
    _has_keyring = True


def open_store(insecure_file: Path | None) -> LoginStore:
    """Raises ``Refused``."""
    if insecure_file is not None:
        return InsecureFile(insecure_file)
    if not _has_keyring:
        raise Refused("The keychain needs an extra that is not installed.",
                      "pip install 'lockgate[keyring]'")  # fmt: skip
    return open_keychain(Path.home())
