"""The ``lockgate`` command. ``stdio`` is told apart before anything is imported: a client waits for
its shim, and the rest of the program takes a second to load. So are ``demo`` and ``login``, which
need extras that nothing else may load."""

import os
import sys

_command = "" if {"-h", "--help"} & set(sys.argv) else "".join(sys.argv[1:2])

if _command == "stdio" and {"--login", "--insecure-file"} & set(sys.argv):
    from lockgate.app.login.carrying import run as _run
elif _command == "stdio":
    from lockgate.app.ingress_stdio import run as _run
elif _command == "demo":
    from lockgate.app.demo.cli import run as _run
elif _command in ("login", "logout"):
    from lockgate.app.login.cli import run as _run
else:
    from lockgate.app.program import run as _run


def main() -> None:
    code = _run()
    if _command == "stdio":
        # Threads of its HTTP client may be in Python still: they would abort an orderly end.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    main()
