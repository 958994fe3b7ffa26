"""What can go wrong with the store, split by what to do.

StoreError              the file cannot be used, or failed in use: nothing more is written to it,
│                       start again once the cause is gone
├── StoreFull           no room: nothing of this call was written; the same call may succeed later
├── StoreRefused        this call contradicts what is stored; nothing of it was written
│   ├── AlreadyEnqueued that result is in the outbox already
│   └── NoSuchResult    there is no such result in the outbox (any more)
└── StoreClosed         the store was closed

A `StoreError` itself, raised by a call that writes, leaves open whether the call took effect: the
disk failed while it was asked to remember. The next start reads what is really there.
"""


class StoreError(Exception):
    """The file cannot be used; the message says which, why, and what to do."""


class StoreFull(StoreError):  # noqa: N818 - a state
    """There is no room for this now."""


class StoreRefused(StoreError):  # noqa: N818 - a state
    """The call contradicts what is stored."""


class AlreadyEnqueued(StoreRefused):
    """A result of this id is in the outbox."""


class NoSuchResult(StoreRefused):
    """No result of this id is in the outbox."""


class StoreClosed(StoreError):  # noqa: N818 - a state
    """The store was closed before this call."""
