"""The Network Information Base: one interface over SQLite and memory.

`NIBStore(path_or_url)` opens or creates one. The modules: `store` (the facade), `place` (which
backend), `memory*` (in memory), `sql*` (SQLAlchemy Core), `sqlite_*` (what only SQLite has),
`schema` and `migrations` (the tables), `codec`, `criteria` and `rules` (the same for all).
"""

from pdsno.nib.store import NIBStore

__all__ = ["NIBStore"]
