"""What a failure of bleak or BlueZ means: the instrument's no, a pairing that is missing or lost.

Whatever is neither is a lost link. Names of errors: org.bluez.Error.*, from BlueZ's
src/error.c and src/gatt-client.c (create_gatt_dbus_error).
"""

from bleak.exc import (
    BleakCharacteristicNotFoundError,
    BleakDBusError,
    BleakError,
    BleakGATTProtocolError,
)
from dbus_fast.errors import DBusFastError

from drivers.errors import Unpaired

BLEAK_FAILS = (BleakError, DBusFastError, OSError, EOFError, TimeoutError, AssertionError)

NOT_FOUND = 0x0A  # ATT: Attribute Not Found
NOT_SUPPORTED = 0x06  # ATT: Request Not Supported
UNLIKELY = 0x0E  # ATT: Unlikely Error
NEEDS_PAIRING = frozenset({0x05, 0x08, 0x0C, 0x0F})  # ATT: authentication, encryption, key size

_LOST = frozenset({"AuthenticationFailed", "AuthenticationTimeout"})
_REFUSED = frozenset({"AuthenticationRejected", "AuthenticationCanceled"})
_SAYS_NO = {
    "NotSupported": NOT_SUPPORTED,
    "NotPermitted": 0x03,
    "InvalidArguments": UNLIKELY,
    "InvalidValueLength": 0x0D,
    "InvalidOffset": 0x07,
}


def unpaired(error: BaseException, address: str, *, is_subscription: bool) -> Unpaired | None:
    """Return the error to raise where pairing is what is wrong, None where it is not."""
    name, text = _dbus(error)
    if name in _LOST:
        return Unpaired(
            f"{address} does not accept our pairing any more (its battery was changed, or it was "
            f"paired with something else): pair it again with `vitals-edge pair {address} --again`"
        )
    asks = name == "NotPermitted" and "paired" in text.lower()
    if isinstance(error, BleakGATTProtocolError):
        asks = int(error.code) in NEEDS_PAIRING
    if name in _REFUSED or (asks and is_subscription):
        return Unpaired(
            f"{address} sends only to whom it is paired with: `vitals-edge pair {address}`"
        )
    return None


def said_no(error: BaseException) -> int | None:
    """Return the ATT error with which one request was refused, None where it was not that."""
    if isinstance(error, BleakGATTProtocolError):
        return int(error.code)
    if isinstance(error, BleakCharacteristicNotFoundError):
        return NOT_FOUND
    name, text = _dbus(error)
    if name == "NotPermitted" and "paired" in text.lower():
        return 0x05
    if name == "Failed" and "connect" not in text.lower():
        return UNLIKELY
    return _SAYS_NO.get(name)


def _dbus(error: BaseException) -> tuple[str, str]:
    if not isinstance(error, BleakDBusError) or not error.dbus_error.startswith("org.bluez.Error."):
        return "", ""
    return error.dbus_error.rpartition(".")[2], error.dbus_error_details or ""
