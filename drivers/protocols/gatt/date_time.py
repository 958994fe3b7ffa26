"""Date Time (2A08) and Current Time (2A2B): the instrument's local clock, without a zone.

Date Time     year u16, month u8, day u8 (each 0: unknown), hours u8, minutes u8, seconds u8
Current Time  Date Time, day of week u8 (1 Monday to 7 Sunday, 0 unknown), 1/256 s u8, reason u8

A date that does not exist (30 February, 24:60) is kept as it came; it only has no `local` time.

Sources: Bluetooth SIG GATT XML; vectors of Nordic's Android BLE Common Library (Date Time) and of
bluetooth-sig-python (Current Time).
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import IntFlag

from drivers.protocols.gatt.fields import Fields, Malformed, packed

DATE_TIME_BYTES = 7
YEARS = range(1582, 10_000)


@dataclass(frozen=True, slots=True)
class DateTime:
    """A date and time as sent."""

    year: int
    month: int
    day: int
    hours: int
    minutes: int
    seconds: int
    raw: bytes = field(default=b"", compare=False, repr=False)

    @classmethod
    def of(cls, local: datetime) -> "DateTime":
        """Return a time to the second."""
        return cls(local.year, local.month, local.day, local.hour, local.minute, local.second)

    @property
    def local(self) -> datetime | None:
        """The time, None where a part is unknown or no such time exists."""
        if self.year not in YEARS:
            return None
        try:
            return datetime(  # noqa: DTZ001 - the instrument's own, without a zone
                self.year, self.month, self.day, self.hours, self.minutes, self.seconds
            )
        except ValueError:
            return None


class AdjustReason(IntFlag):
    """Why a clock was changed last; reserved bits are kept."""

    MANUAL = 1
    EXTERNAL_REFERENCE = 2
    TIME_ZONE = 4
    DAYLIGHT_SAVING = 8


NOT_SAID = AdjustReason(0)


@dataclass(frozen=True, slots=True)
class CurrentTime:
    """What an instrument's clock shows."""

    date_time: DateTime
    weekday: int = 0
    fractions: int = 0
    reason: AdjustReason = NOT_SAID
    raw: bytes = field(default=b"", compare=False, repr=False)

    @classmethod
    def of(cls, local: datetime, reason: AdjustReason = NOT_SAID) -> "CurrentTime":
        """Return what a clock shows at a time."""
        fractions = local.microsecond * 256 // 1_000_000
        return cls(DateTime.of(local), local.isoweekday(), fractions, reason)

    @property
    def local(self) -> datetime | None:
        """The time with its fraction, None where it is not fully known."""
        local = self.date_time.local
        return local and local.replace(microsecond=self.fractions * 1_000_000 // 256)


def take_date_time(fields: Fields) -> DateTime:
    """Take a Date Time off a payload."""
    raw = fields.take(DATE_TIME_BYTES)
    inner = Fields(raw)
    return DateTime(
        inner.u16(), inner.u8(), inner.u8(), inner.u8(), inner.u8(), inner.u8(), raw=raw
    )


def decode_date_time(payload: bytes) -> DateTime | Malformed:
    """Return what 2A08 says."""
    fields = Fields(payload)
    return fields.whole(take_date_time(fields))


def encode_date_time(time: DateTime) -> bytes:
    """Return the seven bytes of a Date Time."""
    parts = (time.month, time.day, time.hours, time.minutes, time.seconds)
    return packed(time.year, 2) + b"".join(packed(part, 1) for part in parts)


def decode_current_time(payload: bytes) -> CurrentTime | Malformed:
    """Return what 2A2B says."""
    fields = Fields(payload)
    date_time = take_date_time(fields)
    weekday, fractions, reason = fields.u8(), fields.u8(), AdjustReason(fields.u8())
    return fields.whole(CurrentTime(date_time, weekday, fractions, reason, payload))


def encode_current_time(time: CurrentTime) -> bytes:
    """Return the payload of 2A2B."""
    tail = (time.weekday, time.fractions, time.reason)
    return encode_date_time(time.date_time) + b"".join(packed(part, 1) for part in tail)
