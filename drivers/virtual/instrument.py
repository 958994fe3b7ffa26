"""What a virtual instrument is: the far end of the wire, without any waiting of its own.

A virtual instrument is pure: it says which bytes are due and answers what it hears. `pty_port.py`
carries it on a real pseudo-terminal at wire rate, tests carry it in memory, and both damage the
bytes on the way if asked to.
"""

from typing import Protocol


class VirtualInstrument(Protocol):
    """Built as ``factory(seed, **options)``; the same seed and calls give the same bytes."""

    def due(self, elapsed_s: float) -> bytes:
        """Return what the instrument has sent of its own since the last call, up to `elapsed_s`."""
        ...

    def hear(self, data: bytes) -> bytes:
        """Take what the host wrote, in any chunking, and return the answer."""
        ...
