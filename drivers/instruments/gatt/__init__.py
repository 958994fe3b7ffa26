"""Bluetooth LE instruments that keep to the profiles of the Bluetooth SIG, whoever made them.

Session
    Device Information (identity), battery, what the instrument can do, and its clock are read; the
    values are subscribed to last, for many cuffs send and hang up as soon as they may.

Memory
    A value that an instrument indicates may be of this minute or of last week, of anybody. It is
    STAMPED where the payload has a time and the clock was read in this session, and proves nothing
    otherwise. What a heart-rate belt or an oximeter notifies is live.

Raw first
    What is indicated is confirmed by the radio before anybody has looked at it and is not sent
    again. So it is made durable before it is decoded, and what was read of identity and clock too,
    so that after a crash the same is known of it.

Twice
    The same bytes with the same time in them are the same measurement, and are told once. Without
    a time they may be two that are alike: told, and flagged.

Writes, each only where granted: set-clock, fetch (stored records, where the instrument has a Record
Access Control Point), delete-records (after a fetch that came through whole).

A user number says whom an instrument takes somebody for. It is evidence and never a patient.
"""
