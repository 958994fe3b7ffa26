"""What a site may set for a Bluetooth LE instrument."""

from typing import Annotated
from zoneinfo import ZoneInfo

import msgspec

from drivers.instruments.gatt.quirks import NONE, QUIRKS, Quirks


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Options of a Bluetooth LE instrument.

    `zone` is the zone its clock is kept in, as Europe/Vienna. Where "set-clock" is allowed, the
    clock is set when it is more than `clock_tolerance_s` off; some cuffs refuse smaller steps.
    `model` is one of `quirks.QUIRKS`, for those that differ from their profile.
    """

    zone: str = "UTC"
    clock_tolerance_s: Annotated[float, msgspec.Meta(ge=2.0)] = 60.0
    model: str | None = None

    def __post_init__(self) -> None:
        try:
            ZoneInfo(self.zone)
        except (OSError, ValueError, KeyError):
            raise ValueError(
                f"zone {self.zone!r} is not known here; give one as Europe/Vienna or UTC"
            ) from None
        if self.model is not None and self.model not in QUIRKS:
            known = ", ".join(sorted(QUIRKS))
            raise ValueError(f"model {self.model!r} has no quirks here; there are {known}")

    @property
    def quirks(self) -> Quirks:
        """What the model needs."""
        return NONE if self.model is None else QUIRKS[self.model]
