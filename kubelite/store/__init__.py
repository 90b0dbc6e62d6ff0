"""Versioned objects in SQLite with watches; see `store.py`."""

from kubelite.store.store import BACKLOG, Expired, Store, Unusable
from kubelite.store.watch import Change, Stored, Watch

__all__ = ["BACKLOG", "Change", "Expired", "Store", "Stored", "Unusable", "Watch"]
