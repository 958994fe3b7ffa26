"""Every exception a driver, a link or a format may let escape.

DriverError
├── LinkError           the cable, radio or port; retry with back-off
│   ├── LinkNotFound    nothing at that address (yet)
│   ├── LinkRefused     it is there and the system will not let us: permission, port in use
│   │   └── Unpaired    it will not let us: paired never, or not any more; an operator must act
│   └── LinkLost        it was open and went away
├── DeviceMismatch      something answers, but not the configured instrument; do not retry
├── RequestRefused      the instrument says no to one request; go on without
├── FileRefused         a whole file cannot be used, however often it is tried: set it aside
├── WriteNotPermitted   a write outside what the settings grant
├── ReplayMismatch      a driver writes something else than the recording says was written
├── SettingsError       the options table is wrong; do not retry
├── FormatError         a file is not what a reader accepts: the offset and the reason
└── NotRepresentable    a recording holds what the wanted file format has no way to say

Bad bytes on a stream are not an exception: a decoder returns them as ``Skipped``.
"""


class DriverError(Exception):
    """Base of the tree above."""


class LinkError(DriverError):
    """The path to the instrument failed; a later attempt may succeed."""


class LinkNotFound(LinkError):  # noqa: N818 - reads as a state, as FileNotFoundError's family does
    """There is nothing at that address."""


class LinkRefused(LinkError):  # noqa: N818 - a state
    """The system refuses the link; the message says what to do."""


class Unpaired(LinkRefused):
    """A Bluetooth instrument does not take us for one it is paired with."""


class LinkLost(LinkError):  # noqa: N818 - a state
    """The link was open and is gone; also the end of a recording."""


class DeviceMismatch(DriverError):  # noqa: N818 - a state
    """Something answers that is not the configured instrument."""


class RequestRefused(DriverError):  # noqa: N818 - a state
    """The instrument refused a read, a write or a subscription: `code` is the ATT error."""

    def __init__(self, what: str, code: int) -> None:
        super().__init__(f"{what}: refused with ATT error {code:#04x}")
        self.code = code


class FileRefused(DriverError):  # noqa: N818 - a state
    """A file cannot be used; the message is the reason, and says nothing of a patient."""


class WriteNotPermitted(DriverError):  # noqa: N818 - a state
    """A driver tried to write what its settings do not grant."""


class ReplayMismatch(DriverError):  # noqa: N818 - a state
    """What a driver writes is not what was written when the recording was made."""


class SettingsError(DriverError):
    """An instrument's options are wrong; the message names the key and the remedy."""


class FormatError(DriverError):
    """A file cannot be read: `offset` in bytes and `reason`."""

    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(f"{reason} (at byte {offset})")
        self.reason = reason
        self.offset = offset


class NotRepresentable(DriverError):  # noqa: N818 - a state
    """A recording cannot be written in the wanted format; the message says why."""
