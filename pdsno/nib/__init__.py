"""The Network Information Base: one interface over SQLite, PostgreSQL and memory.

`NIBStore(path_or_url)` opens or creates one. The modules: `store` (the facade), `place` (which
backend), `memory*` (in memory), `sql*` (SQLAlchemy Core), `sqlite_*` and `postgres_*` (what only
one has), `schema` and `migrations` (the tables), `codec`, `criteria` and `rules` (the same for
all), `check`, `care` and `restoring` (looking after one).
"""

from pdsno.nib.store import NIBStore

__all__ = ["NIBStore"]
