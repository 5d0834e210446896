"""Durable records in one SQLite file: what should be, what was asked, what was seen. One module for each noun."""

from anden.store.records import Records, open_store

__all__ = ["Records", "open_store"]
