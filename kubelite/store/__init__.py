"""Versioned objects in SQLite with watches; see `store.py`."""

from kubelite.store.store import Change, Expired, Store, Stored, Watch

__all__ = ["Change", "Expired", "Store", "Stored", "Watch"]
