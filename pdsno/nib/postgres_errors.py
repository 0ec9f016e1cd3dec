"""What PostgreSQL's errors mean for an operator."""

import re

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from pdsno.domain.errors import InputError, OperationError, PDSNOError, TransientError

# Classes and codes of SQLSTATE: postgresql.org/docs/current/errcodes-appendix.html
_AWAY = (
    "is away, its connection broke: it reconnects by itself once the server is back; what was not "
    "answered may have to be sent again"
)
_TRANSIENT = {
    "08": _AWAY,
    "57P": _AWAY,
    "40": "met another transaction: try again",
    "55P03": "is being written by another process: try again",
    "53100": "cannot grow, the disk of the server is full: the change was rolled back and nothing "
    "before it is lost; free some space, start the server if it ended itself, and try again",
    "53300": "has no connection left: raise max_connections of the server, or stop other clients",
    "53": "lacks resources on the server: see its log, and try again",
}
_PERMANENT = {
    "42501": "may not be used by this role: make it the owner of the database, or GRANT it CREATE "
    "and USAGE on the schema and all rights on its tables",
    "25006": "is read-only, as a standby is: name the primary server in the URL",
    "XX001": "is damaged: stop the server and restore a backup",
    "XX002": "has a damaged index: REINDEX DATABASE, then pdsno nib check",
    "58": "cannot be read or written, the server's file system reports an error: see its log",
}
_UNFIT = ("22", "54")
"""Values that no column takes: out of range, a NUL, an index entry too long."""

_CONNECTING = {
    r"password authentication failed": "refuses the password of this role: check the password "
    "file, or PGPASSFILE",
    r"no password supplied": "wants a password: name a file that holds it as `password_file` of "
    "the settings' `nib`, or set PGPASSFILE",
    r'database ".*" does not exist': "is not there: create it with createdb -E UTF8 -T template0 "
    "-O ROLE NAME",
    r'role ".*" does not exist': "has no such role: create it with createuser ROLE",
    r"no pg_hba\.conf entry|authentication failed": "does not admit this role from here: see "
    "pg_hba.conf of the server",
    r"certificate|SSL": "cannot be trusted: give sslrootcert= (and sslmode=) in the URL",
}
"""What the server or libpq says before there is a connection, and so without a code."""


def translate(where: str, error: SQLAlchemyError) -> PDSNOError:
    """Return our error for one of SQLAlchemy's about the NIB at `where`."""
    if isinstance(error, PoolTimeoutError):
        return TransientError(f"the NIB {where} is overloaded: all connections are in use")
    origin = getattr(error, "orig", None) or error
    state = getattr(origin, "sqlstate", None)
    cause = " ".join(str(origin).split())
    if state is None:
        return _without_code(where, error, cause)
    for table, kind in ((_TRANSIENT, TransientError), (_PERMANENT, OperationError)):
        for prefix in (state, state[:3], state[:2]):
            if prefix in table:
                return kind(f"the NIB {where} {table[prefix]}")
    if state.startswith(_UNFIT):
        return InputError(f"the NIB cannot store this value: {cause}")
    return OperationError(f"the NIB {where} refused a statement: {cause}")


def _without_code(where: str, error: SQLAlchemyError, cause: str) -> PDSNOError:
    """Return the error of something that failed on this side of the connection."""
    if getattr(error, "connection_invalidated", False):
        return TransientError(f"the NIB {where} {_AWAY}")
    if type(getattr(error, "orig", None)).__name__ == "DataError":
        return InputError(f"the NIB cannot store this value: {cause}")
    for pattern, text in _CONNECTING.items():
        if re.search(pattern, cause):
            return OperationError(f"the NIB {where} {text}")
    return TransientError(
        f"the NIB {where} cannot be reached ({cause}): is PostgreSQL running there, and is the "
        "address right?"
    )
