"""Nonin pulse oximeters on a serial line or Bluetooth's serial profile (OEM III, Xpod, 3150, 9560).

What is emitted
    Data Formats 2 and 7: for each packet (three a second) the pulse waveform and one oximetry
    measurement; 8: one measurement a second; 13: one measurement for each stored or fresh spot
    check, with the instrument's own time. Which value and why: `meaning`.

Memory
    The streams are live. A spot check is not: it may have been taken hours ago, of somebody else.
    The registry's entry says LIVE, for one kind has one memory class; a spot check therefore always
    carries the device's time, or the flag from-memory where that time is unreadable, and such a
    measurement of a live instrument is to be judged as STAMPED.

Raw first
    Spot checks are not repeated, so bytes are kept before they are decoded until the instrument is
    seen to send a stream, and again after a format was selected. A kept chunk is settled by
    whatever its last byte belongs to.

Writes, each only where granted: `introduction`.
"""

from drivers.instruments.nonin.driver import Nonin
from drivers.instruments.nonin.settings import Settings

__all__ = ["Nonin", "Settings"]
