"""What a site may set for a Nonin oximeter."""

from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from drivers.protocols import nonin_control


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Options of a Nonin oximeter.

    `format` is the Data Format to select at the start of a session, where "select-format" is
    allowed; None leaves the instrument as it is. It never says how to read what comes: that is told
    from the bytes. `power_up` selects with the long form of WristOx2 3150, which also says what
    happens at power-up: plain, spot check, Bluetooth on, both. `zone` is the zone the instrument's
    clock is kept in, as Europe/Vienna.
    """

    format: Literal[2, 7, 8, 13] | None = None
    power_up: Literal["plain", "spot-check", "bluetooth", "spot-check+bluetooth"] | None = None
    zone: str = "UTC"

    def __post_init__(self) -> None:
        if self.power_up is not None and self.format is None:
            raise ValueError("power_up needs a format: it goes with the selection of one")
        try:
            ZoneInfo(self.zone)
        except (OSError, ValueError, KeyError):
            raise ValueError(
                f"zone {self.zone!r} is not known here; give one as Europe/Vienna or UTC"
            ) from None

    def selection(self) -> bytes | None:
        """Return the command that selects the format; None where none is set."""
        if self.format is None or self.power_up is None:
            return None if self.format is None else nonin_control.select_format(self.format)
        return nonin_control.select_format_long(
            self.format,
            spot_check="spot-check" in self.power_up,
            bluetooth_on="bluetooth" in self.power_up,
        )
