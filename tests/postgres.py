"""A PostgreSQL server of the tests' own: one a session, on a Unix socket, gone with the session.

PostgreSQL refuses to run as root, so root starts it as the user that Debian's package makes.
"""

import atexit
import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path

import psycopg
import pytest

from pdsno.nib import migrate
from pdsno.nib.place import open_database
from pdsno.nib.schema_operators import metadata

_TEMPLATE = "nib_template"
_USER = "postgres"
_START_S = 60.0
# As a replica does: no trigger keeps the events, no foreign key asks for an order.
_EMPTY = "; ".join(
    ["SET lock_timeout = '10s'", "SET session_replication_role = replica"]
    + [f"DELETE FROM {table.name}" for table in metadata.sorted_tables]  # noqa: S608 - our schema
)


def _programs() -> Path:
    """Return the folder of the newest server's programs; Debian keeps them off PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[4]))
    if not found:
        pytest.fail("needs PostgreSQL: tools/install.sh apt tools/apt-packages.txt", pytrace=False)
    return found[-1].parent


def owner_of_servers() -> tuple[int, int]:
    """Return user and group by which servers run."""
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    user = pwd.getpwnam(_USER)
    return user.pw_uid, user.pw_gid


class PostgresRig:
    """One server. `database(folder)` gives the URL of a NIB for a test's folder.

    It lives in a folder of its own, or in the empty one that is given.
    """

    def __init__(self, folder: Path | None = None, *initdb: str) -> None:
        self._programs = _programs()
        self.folder = folder or Path(tempfile.mkdtemp(prefix="pdsno-pg-"))
        self._data = self.folder / "data"
        self._numbers = itertools.count(1)
        self._known: dict[Path, str] = {}
        self._free: list[str] = []
        self._server: subprocess.Popen[bytes] | None = None
        os.chown(self.folder, *owner_of_servers())
        self._run(
            "initdb", "-D", str(self._data), "-U", _USER, "--auth=trust", "--no-sync", "-E", "UTF8",
            # Not the order of code points: the NIB has to ask for that.
            "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en", *initdb,
        )  # fmt: skip
        self.start()

    def _as_user(self) -> list[str]:
        # It ends when we do, also if we are killed.
        if os.geteuid() != 0:
            return ["setpriv", "--pdeathsig", "INT"]
        uid, gid = map(str, owner_of_servers())
        return [
            "setpriv", "--reuid", uid, "--regid", gid, "--clear-groups", "--pdeathsig", "INT",
        ]  # fmt: skip

    def _run(self, program: str, *args: str) -> None:
        command = [*self._as_user(), str(self._programs / program), *args]
        done = subprocess.run(
            command, cwd=self.folder, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self) -> None:
        """Start the server and wait until it answers."""
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.folder),
            "fsync": "off",
            "full_page_writes": "off",
            "shared_buffers": "64MB",
            "max_connections": "200",
            "logging_collector": "off",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self.folder / "log").open("ab") as log:
            self._server = subprocess.Popen(
                [
                    *self._as_user(), str(self._programs / "postgres"), "-D", str(self._data),
                    *options,
                ],
                cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        deadline = time.monotonic() + _START_S
        while True:
            try:
                psycopg.connect(self.conninfo("postgres")).close()
            except psycopg.OperationalError:
                assert self._server.poll() is None, (self.folder / "log").read_text()
                assert time.monotonic() < deadline, (self.folder / "log").read_text()
                time.sleep(0.05)
            else:
                return

    def stop(self, *, gently: bool = True) -> None:
        """End the server: in good order, or as a crash would."""
        if self._server is not None:
            # SIGINT: fast shutdown; SIGQUIT: none at all, recovery at the next start.
            self._server.send_signal(2 if gently else 3)
            self._server.wait(timeout=60)
            self._server = None

    def close(self) -> None:
        """End the server and remove all that is its."""
        self.stop(gently=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def conninfo(self, database: str) -> str:
        return f"host={self.folder} user={_USER} dbname={database}"

    def url(self, database: str, user: str = _USER) -> str:
        return f"postgresql+psycopg://{user}@/{database}?host={self.folder}"

    @property
    def is_running(self) -> bool:
        """Whether the server has neither been stopped nor ended itself."""
        return self._server is not None and self._server.poll() is None

    def execute(self, statement: str, database: str = "postgres") -> None:
        """Run statements as the superuser, outside of a transaction."""
        with psycopg.connect(self.conninfo(database), autocommit=True) as connection:
            connection.execute(statement.encode())

    @contextmanager
    def admission(self, line: str) -> Iterator[None]:
        """Put a line ahead of all others of pg_hba.conf for a while."""
        file = self._data / "pg_hba.conf"
        before = file.read_text()
        try:
            file.write_text(f"{line}\n{before}")
            self.execute("SELECT pg_reload_conf()")
            yield
        finally:
            file.write_text(before)
            self.execute("SELECT pg_reload_conf()")

    def empty_database(self) -> str:
        """Create a database that holds nothing; return its name."""
        name = f"test_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        return name

    def database(self, folder: Path) -> str:
        """Return the URL of the NIB of a test's folder: an empty one at first, then the same."""
        if folder not in self._known:
            self._known[folder] = self._free.pop() if self._free else self.new_database()
        return self.url(self._known[folder])

    def new_database(self, options: str = "") -> str:
        """Create a database that holds an empty NIB; return its name."""
        name = f"test_{next(self._numbers)}"
        template = f"TEMPLATE {self._template()} STRATEGY FILE_COPY"
        self.execute(f"CREATE DATABASE {name} {template} {options}")
        return name

    def release(self) -> None:
        """Empty the databases of the tests so far for others: a tenth of making new ones."""
        while self._known:
            _, name = self._known.popitem()
            self.execute(_EMPTY, name)
            self._free.append(name)

    @cache  # noqa: B019 - one rig a session
    def _template(self) -> str:
        """Migrate once for all tests; the stream is each NIB's own."""
        self.execute(f"CREATE DATABASE {_TEMPLATE} TEMPLATE template0")
        database = open_database(self.url(_TEMPLATE))
        with closing(database.writer()) as connection:
            migrate.to_head(connection, database)
        database.close()
        return _TEMPLATE


@cache
def postgres() -> PostgresRig:
    """Return the session's server; the first call starts it."""
    rig = PostgresRig()
    atexit.register(rig.close)
    return rig
