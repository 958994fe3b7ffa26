"""One SQLite file behind one writer thread: journal, raw bytes, patients, waveforms, outbox."""

from edge.store.errors import (
    AlreadyEnqueued,
    NoSuchResult,
    StoreClosed,
    StoreError,
    StoreFull,
    StoreRefused,
)
from edge.store.retention import Snapshot
from edge.store.store import FILE_NAME, Purged, Store

__all__ = [
    "FILE_NAME",
    "AlreadyEnqueued",
    "NoSuchResult",
    "Purged",
    "Snapshot",
    "Store",
    "StoreClosed",
    "StoreError",
    "StoreFull",
    "StoreRefused",
]
