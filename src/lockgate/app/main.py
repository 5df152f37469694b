"""The ``lockgate`` command. ``stdio`` is told apart before anything is imported: a client waits for
its shim, and the rest of the program takes a second to load."""

import sys

if sys.argv[1:2] == ["stdio"] and not {"-h", "--help"} & set(sys.argv):
    from lockgate.app.ingress_stdio import run as _run
else:
    from lockgate.app.program import run as _run


def main() -> None:
    sys.exit(_run())


if __name__ == "__main__":
    main()
