"""A real slapd for the tests of one process, with people and groups, on free ports of 127.0.0.1."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ldap3
import trustme

from support.processes import until

BASE = "dc=example"
PEOPLE = f"ou=people,{BASE}"
GROUPS = f"ou=groups,{BASE}"
READER, PASSWORD = f"cn=gate,{BASE}", "reader-password"
_ROOT, _SECRET = f"cn=root,{BASE}", "root-password"

# Attributes of 389 DS and of Active Directory, as filters name them.
_SCHEMA = """
attributetype ( 2.16.840.1.113730.3.1.610 NAME 'nsAccountLock' EQUALITY caseIgnoreMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.8 NAME 'userAccountControl' EQUALITY integerMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.27 SINGLE-VALUE )
attributetype ( 1.2.840.113556.1.4.2 NAME 'objectGUID' EQUALITY octetStringMatch
  SYNTAX 1.3.6.1.4.1.1466.115.121.1.40 SINGLE-VALUE )
objectclass ( 1.3.6.1.4.1.55555.1 NAME 'accountState' SUP top AUXILIARY
  MAY ( nsAccountLock $ userAccountControl $ objectGUID ) )
"""
_CONFIG = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include {folder}/states.schema
pidfile {folder}/pid
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload memberof
TLSCACertificateFile {folder}/ca.pem
TLSCertificateFile {folder}/server.pem
TLSCertificateKeyFile {folder}/server.key
sizelimit {limit}
database mdb
suffix "{base}"
rootdn "{root}"
rootpw {secret}
directory {folder}/db
maxsize 104857600
dbnosync
overlay memberof
memberof-refint TRUE
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{reader}" read by * none
"""


class DirectoryServer:
    """``plain`` and ``secure`` are its URLs; ``ca`` is the certificate that its own leads to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ca = folder / "ca.pem"
        self.plain, self.secure = (f"{s}://127.0.0.1:{_free_port()}" for s in ("ldap", "ldaps"))
        self._process: subprocess.Popen[bytes] | None = None
        self._prepare()

    def _prepare(self) -> None:
        authority = trustme.CA()
        issued = authority.issue_cert("127.0.0.1", key_type=trustme.KeyType.RSA)
        authority.cert_pem.write_to_path(self.ca)
        issued.cert_chain_pems[0].write_to_path(self.folder / "server.pem")
        issued.private_key_pem.write_to_path(self.folder / "server.key")
        (self.folder / "states.schema").write_text(_SCHEMA)
        (self.folder / "db").mkdir()
        self.configure()

    def configure(self, limit: str = "unlimited") -> None:
        """``limit``: entries of one answer. Takes effect at the next start."""
        (self.folder / "slapd.conf").write_text(_CONFIG.format(
            folder=self.folder, base=BASE, root=_ROOT, secret=_SECRET, reader=READER, limit=limit,
        ))  # fmt: skip

    def start(self) -> None:
        program = shutil.which("slapd", path=f"{os.environ['PATH']}:/usr/sbin")
        assert program, "run scripts/setup_servers.sh"
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [program, "-d", "0", "-f", str(self.folder / "slapd.conf"), "-h",
                 f"{self.plain}/ {self.secure}/"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        until(self._answers)

    def stop(self) -> None:
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGTERM)
            self._process.wait(20)
            self._process = None

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError((self.folder / "log").read_text())
        host, port = self.plain.removeprefix("ldap://").split(":")
        with socket.socket() as probe:
            return probe.connect_ex((host, int(port))) == 0

    # What is in it.

    def begin(self) -> None:
        """The tree, without anybody in it but the reader."""
        with self._root() as root:
            root.add(BASE, ["dcObject", "organization"], {"dc": "example", "o": "Example"})
            for unit in (PEOPLE, GROUPS):
                root.add(unit, "organizationalUnit")
            root.add(READER, ["applicationProcess", "simpleSecurityObject"],
                     {"userPassword": PASSWORD})  # fmt: skip

    def add(self, *names: str, **more: Any) -> str:
        """Persons: the DN of the last."""
        with self._root() as root:
            for name in names:
                dn = f"cn={ldap3.utils.dn.escape_rdn(name)},{PEOPLE}"
                attributes = {"sn": "x", "uid": name, **more}
                root.add(dn, ["inetOrgPerson", "accountState"], attributes)
        return dn

    def group(self, name: str, *members: str) -> str:
        dn = f"cn={name},{GROUPS}"
        with self._root() as root:
            root.add(dn, "groupOfNames", {"member": list(members)})
        return dn

    def change(self, dn: str, **values: Any) -> None:
        """``None`` removes the attribute."""
        changes = {
            name: [(ldap3.MODIFY_REPLACE, [] if value is None else [value])]
            for name, value in values.items()
        }
        with self._root() as root:
            root.modify(dn, changes)

    def delete(self, dn: str) -> None:
        with self._root() as root:
            root.delete(dn)

    @contextmanager
    def _root(self) -> Iterator[Any]:
        server = ldap3.Server(self.plain, get_info=ldap3.NONE)
        root = ldap3.Connection(
            server, _ROOT, _SECRET, auto_bind=True, raise_exceptions=True, check_names=False
        )
        try:
            yield root
        finally:
            root.unbind()


@contextmanager
def running_directory() -> Iterator[DirectoryServer]:
    with tempfile.TemporaryDirectory(prefix="lockgate-ldap-") as name:
        made = DirectoryServer(Path(name))
        made.start()
        try:
            made.begin()
            yield made
        finally:
            made.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
