"""What becomes of an instrument's bond when its first connection with one is over.

The battery is changed, the hub's disk is, or somebody takes the instrument home for an evening and
pairs it with a phone: for a bond, that is all the difference there is.
"""

from enum import StrEnum

from drivers.virtual.bluetooth.adapter import Adapter
from drivers.virtual.bluetooth.peripheral import RadioPeripheral
from drivers.virtual.bluetooth.radio import Air, new_radio

PHONE = "F0:F0:F0:F0:F0:F1"


class Aftermath(StrEnum):
    """What happens then."""

    BATTERY_CHANGE = "battery-change"  # the instrument forgets
    HOST_FORGETS = "host-forgets"
    PHONE_PAIRS = "phone-pairs"  # a second host, for which there may be no room beside the first


async def befall(instrument: RadioPeripheral, what: Aftermath, adapter: Adapter, air: Air) -> None:
    """Wait for the end of the first connection that leaves a bond, and let it happen."""
    await instrument.left_bonded()
    match what:
        case Aftermath.BATTERY_CHANGE:
            instrument.forget_bonds()
        case Aftermath.HOST_FORGETS:
            await adapter.forget_instrument(instrument.address)
        case Aftermath.PHONE_PAIRS:
            await _pair_with_phone(instrument.address, air)


async def _pair_with_phone(address: str, air: Air) -> None:
    """Connect when the instrument advertises, pair, and leave it alone ever after."""
    phone = new_radio(air, "phone", PHONE)
    await phone.power_on()
    try:
        connection = await phone.connect(address)
        await connection.pair()
        await connection.disconnect()
    finally:
        await phone.power_off()
