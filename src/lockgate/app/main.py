"""The ``lockgate`` command. ``stdio`` is told apart before anything is imported: a client waits for
its shim, and the rest of the program takes a second to load. So is ``demo``, which needs an extra
that nothing else may load."""

import sys

_command = "" if {"-h", "--help"} & set(sys.argv) else "".join(sys.argv[1:2])

if _command == "stdio":
    from lockgate.app.ingress_stdio import run as _run
elif _command == "demo":
    from lockgate.app.demo.cli import run as _run
else:
    from lockgate.app.program import run as _run


def main() -> None:
    sys.exit(_run())


if __name__ == "__main__":
    main()
