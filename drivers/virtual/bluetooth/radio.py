"""The virtual air, and controllers with a host on it.

The air delivers everything at once and to everybody: it has no loss, no distance and no timing.
"""

import asyncio
import secrets
from contextlib import suppress

from bumble import hci, ll
from bumble.controller import Controller
from bumble.core import InvalidArgumentError
from bumble.device import Connection, Device, DeviceConfiguration
from bumble.hci import Address
from bumble.host import Host
from bumble.keys import MemoryKeyStore, PairingKeys
from bumble.link import LocalLink
from bumble.pairing import PairingConfig, PairingDelegate
from bumble.transport.common import AsyncPipeSink

from drivers.virtual.bluetooth.manners import Manners, Pairing

SOON_S = 0.05  # six connection intervals, after which a connection counts as failed
_PASSKEY_END = 1_000_000
_CAPABILITY = {
    Pairing.NONE: PairingDelegate.NO_OUTPUT_NO_INPUT,
    Pairing.JUST_WORKS: PairingDelegate.NO_OUTPUT_NO_INPUT,
    Pairing.SHOWS_PASSKEY: PairingDelegate.DISPLAY_OUTPUT_ONLY,
    Pairing.TAKES_PASSKEY: PairingDelegate.KEYBOARD_INPUT_ONLY,
    Pairing.COMPARES_PASSKEY: PairingDelegate.DISPLAY_OUTPUT_AND_YES_NO_INPUT,
}


class Air(LocalLink):
    """What all controllers of one bench share."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # Bumble's


def new_radio(
    air: Air,
    name: str,
    address: str,
    *,
    is_private: bool = False,
    controller: type[Controller] = Controller,
) -> Device:
    """Return a host with a controller on the air; its bonds last as long as it does.

    The air addresses controllers by their random address. A private one goes by addresses that
    only those it bonded with can tell to be its own.
    """
    chip = controller(name, link=air)
    settings = DeviceConfiguration(
        name=name,
        address=Address(address),
        le_privacy_enabled=is_private,
        irk=secrets.token_bytes(16),
    )
    device = Device(config=settings, host=Host(chip, AsyncPipeSink(chip)))
    device.keystore = MemoryKeyStore()
    return device


class OneBond(MemoryKeyStore):
    """Keys of an instrument that has room for one bond: a new one takes the place of the last."""

    async def update(self, name: str, keys: PairingKeys) -> None:
        """Keep these and no others."""
        self.all_keys.clear()
        await super().update(name, keys)


class Deaf(Controller):
    """A controller that advertises and never answers who would connect."""

    def on_le_connect_ind(self, packet: ll.ConnectInd) -> None:
        """Let the connection fail to be established, as the other side finds out soon after."""
        if packet.advertiser_address == self.random_address:
            asyncio.get_running_loop().call_later(SOON_S, self._fail, packet.initiator_address)

    def _fail(self, initiator: Address) -> None:
        if self.link is not None:
            with suppress(InvalidArgumentError):  # it has gone meanwhile
                self.link.send_ll_control_pdu(
                    self.random_address,
                    initiator,
                    ll.TerminateInd(hci.HCI_CONNECTION_FAILED_TO_BE_ESTABLISHED_ERROR),
                )


class InstrumentKeys(PairingDelegate):
    """An instrument's side of pairing, with a passkey on its display or keys to `type` one on.

    What is to be compared is `compared`, and agreed to: whoever differs must say so at the hub.
    """

    def __init__(self, manners: Manners) -> None:
        super().__init__(_CAPABILITY[manners.pairing])
        self._passkey = manners.passkey % _PASSKEY_END
        self._typed: asyncio.Future[int] | None = None
        self._shown: asyncio.Queue[int] = asyncio.Queue()

    def type(self, passkey: int) -> None:
        """Type a passkey on the instrument, as a person would."""
        typed = self._keys()
        if not typed.done():
            typed.set_result(passkey)

    async def generate_passkey(self) -> int:
        """Return the passkey on the display or the back."""
        return self._passkey

    async def compared(self) -> int:
        """Return the number that is shown to be compared, as soon as there is one."""
        return await self._shown.get()

    async def compare_numbers(self, number: int, digits: int) -> bool:  # noqa: ARG002 - Bumble's
        """Show a number, and take it for the one that the hub shows."""
        self._shown.put_nowait(number)
        return True

    async def get_number(self) -> int | None:
        """Return what was typed, or is typed now."""
        passkey = await self._keys()
        self._typed = None
        return passkey

    def _keys(self) -> asyncio.Future[int]:
        if self._typed is None:
            self._typed = asyncio.get_running_loop().create_future()
        return self._typed


def pair_by(device: Device, delegate: PairingDelegate, *, needs_passkey: bool) -> None:
    """Have a host bond with these keys."""

    def configuration(_: Connection) -> PairingConfig:
        return PairingConfig(sc=True, mitm=needs_passkey, bonding=True, delegate=delegate)

    device.pairing_config_factory = configuration
