"""The program with the keychain in it. ``main`` loads this for ``lockgate login`` and ``logout``
only: the ``keyring`` library is an extra, and looks at what the whole machine has to offer."""

from lockgate.app import program
from lockgate.app.login.kept import open_store


def run() -> int:
    return program.run(where=open_store)
