"""What Bluetooth LE instruments put into GATT characteristics, one kind of payload a module.

A payload arrives whole, so nothing is pending and nothing resynchronises: `decode(payload)` returns
a frozen frame with `raw`, or `Malformed` with the reason, and never raises; `encode(frame)` returns
the payload. Bits and values reserved for future use are kept as they came and reject nothing.
Whole numbers are little-endian. `characteristics` is the table of all of them by UUID.
"""
