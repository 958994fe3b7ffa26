"""Answers to what BlueZ asks while an instrument pairs (org.bluez.Agent1(5)).

Nobody pairs who is not enrolled. Just Works needs nobody's word then; a passkey does: it is on the
instrument's label or display and typed here, or shown here and typed there.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

from dbus_fast import Message, MessageType

from drivers.errors import LinkError
from drivers.transports.ble.bus import ALREADY, Bluez, BusError, Device

log = logging.getLogger(__name__)

AGENT = "org.bluez.Agent1"
MANAGER = "org.bluez.AgentManager1"
PATH = "/org/vitals_edge/agent"
CAPABILITY = "KeyboardDisplay"
LOOK_S = 1.0
PERSON_S = 30.0  # the Security Manager Protocol gives up after so long
REJECTED = "org.bluez.Error.Rejected"
LAST_PASSKEY = 999_999


class Asked(StrEnum):
    """What a person is asked for."""

    ENTER = "enter-passkey"  # what the instrument shows, or has on its label
    SHOW = "show-passkey"  # to be typed on the instrument; no answer is waited for
    COMPARE = "compare-passkey"  # whether the instrument shows the same
    AUTHORIZE = "authorize"  # Just Works: whether to pair at all


@dataclass(frozen=True, slots=True)
class Question:
    """A question about one instrument, by its address."""

    address: str
    asked: Asked
    passkey: int | None = None


Ask = Callable[[Question], Awaitable[int | bool | None]]
"""Return a passkey, whether to agree, or None for no answer."""


class Agent:
    """Serves BlueZ's questions on the connection of `bluez`; `may_pair` says who is enrolled."""

    def __init__(self, bluez: Bluez, may_pair: Callable[[str], bool], ask: Ask) -> None:
        self._bluez = bluez
        self._may_pair = may_pair
        self._ask = ask
        self._asking: set[asyncio.Task[None]] = set()
        bluez.listen(self._heard)

    async def register(self, *, is_default: bool) -> None:
        """Offer to answer: for this connection's own pairing, or for whatever BlueZ is asked."""
        try:
            await self._bluez.call(
                "/org/bluez", MANAGER, "RegisterAgent", PATH, CAPABILITY, signature="os"
            )
        except BusError as error:
            if error.name != ALREADY:
                raise
        if is_default:
            await self._bluez.call(
                "/org/bluez", MANAGER, "RequestDefaultAgent", PATH, signature="o"
            )

    def cancel(self) -> None:
        """Let go of whatever is being asked."""
        for task in self._asking:
            task.cancel()

    def _heard(self, message: Message) -> bool:
        if (message.message_type, message.path) != (MessageType.METHOD_CALL, PATH):
            return False
        if message.interface != AGENT:
            return False
        task = asyncio.ensure_future(self._answer(message))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)
        return True

    async def _answer(self, message: Message) -> None:
        if message.member in {"Cancel", "Release"}:
            for task in self._asking - {asyncio.current_task()}:
                task.cancel()
            await self._bluez.reply(Message.new_method_return(message))
            return
        try:
            async with asyncio.timeout(PERSON_S):
                answer = await self._decided(message)
        except TimeoutError:
            log.warning("pairing: nobody answered in time")
            answer = None
        except LinkError as error:
            log.warning("pairing: %s", error)
            answer = None
        except asyncio.CancelledError:
            await self._bluez.reply(Message.new_error(message, REJECTED, "no longer asked"))
            raise
        if answer is None or answer is False:
            reply = Message.new_error(message, REJECTED, "refused")
        elif answer is True:
            reply = Message.new_method_return(message)
        else:
            reply = Message.new_method_return(message, "u", [answer])
        await self._bluez.reply(reply)

    async def _decided(self, message: Message) -> int | bool | None:
        path = message.body[0]
        device = await self._device(path)
        if device is None or not self._may_pair(device.address):
            who = device.address if device else path
            log.warning("pairing: refused to %s, who is not enrolled", who)
            return None
        address = device.address
        if message.member == "AuthorizeService":
            return True
        if device.is_paired:
            log.warning("pairing: %s is paired and asks anew: an operator must do that", address)
            return None
        if message.member == "DisplayPasskey":
            self._show(path, Question(address, Asked.SHOW, message.body[1]))
            return True
        return await self._asked(message, address)

    async def _asked(self, message: Message, address: str) -> int | bool | None:
        if message.member == "RequestAuthorization":
            return bool(await self._ask(Question(address, Asked.AUTHORIZE)))
        if message.member == "RequestConfirmation":
            return bool(await self._ask(Question(address, Asked.COMPARE, message.body[1])))
        if message.member == "RequestPasskey":
            passkey = await self._ask(Question(address, Asked.ENTER))
            is_passkey = type(passkey) is int and 0 <= passkey <= LAST_PASSKEY
            return passkey if is_passkey else None
        return None  # RequestPinCode and its like are of classic Bluetooth

    def _show(self, path: str, question: Question) -> None:
        task = asyncio.ensure_future(self._shown(path, question))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _shown(self, path: str, question: Question) -> None:
        """Show a passkey for as long as it is of use: BlueZ does not say when it was typed."""
        asking = asyncio.ensure_future(self._ask(question))
        try:
            while not (await asyncio.wait({asking}, timeout=LOOK_S))[0]:
                device = await self._device(path)
                if device is None or device.is_paired or not device.is_connected:
                    return
        except LinkError as error:
            log.warning("pairing: %s", error)
        finally:
            asking.cancel()

    async def _device(self, path: str) -> Device | None:
        for device in await self._bluez.devices():
            if device.path == path:
                return device
        return None
