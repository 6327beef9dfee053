"""A real PostgreSQL that offers TLS. The one from PyPI is built without it, so this is the distribution's."""

import datetime as dt
import os
import pwd
import shutil
from pathlib import Path

import psycopg

from dev.cluster import debs, pki
from support.servers import PostgresServer


class TlsPostgresServer(PostgresServer):
    """Offers TLS by a certificate for `localhost`; `ca` signed it, `other_ca` is a stranger's."""

    def __init__(self) -> None:
        super().__init__()
        tls, other = self.folder / "tls", self.folder / "other"
        leaf = pki.Leaf("server", "postgres", names=("localhost",))
        for folder in (tls, other):
            folder.mkdir()
            pki.ensure(folder, (leaf,), dt.datetime.now(dt.UTC))
        self.ca = (tls / "ca.crt").read_text()
        self.other_ca = (other / "ca.crt").read_text()
        for name in ("server.crt", "server.key"):
            target = self.folder / "data" / name
            shutil.copy(tls / name, target)
            target.chmod(0o600)
            if os.geteuid() == 0:
                owner = pwd.getpwnam("nobody")
                os.chown(target, owner.pw_uid, owner.pw_gid)
        with psycopg.connect(self.admin_uri(), autocommit=True) as admin:
            admin.execute("ALTER SYSTEM SET ssl = on")
            admin.execute("SELECT pg_reload_conf()")

    def programs(self) -> Path:
        """The newest of the machine's own, else those of its packages, unpacked into the cache."""
        own = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
        if not own:
            root = debs.unpack(("postgresql",), (), "PostgreSQL with TLS").root
            own = sorted(root.glob("usr/lib/postgresql/*/bin/postgres"))
        return own[-1].parent
