"""Versioned objects in SQLite with watches; see `store.py`."""

from kubelite.store.store import BACKLOG, Change, Expired, Store, Stored, Unusable, Watch

__all__ = ["BACKLOG", "Change", "Expired", "Store", "Stored", "Unusable", "Watch"]
