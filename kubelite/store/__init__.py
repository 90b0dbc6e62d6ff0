"""Versioned objects in SQLite with watches; see `store.py`."""

from kubelite.store.store import Change, Expired, Store, Stored, Unusable, Watch

__all__ = ["Change", "Expired", "Store", "Stored", "Unusable", "Watch"]
