"""The Bluetooth of a hub: one radio for all enrolled instruments, and what people are told of it.

Imported only where the settings name a Bluetooth instrument: bleak and its bus stay out of other
hubs.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from functools import partial

from config.schema import Bluetooth as BluetoothSettings
from drivers.contract import GattLink, Write
from drivers.model import Instant
from drivers.transports.ble.agent import PERSON_S, Asked, Question
from drivers.transports.ble.ladder import Limits
from drivers.transports.ble.radio import News, Radio
from drivers.transports.gatt_pipe import piped
from edge.chronicle import Chronicle
from edge.clock import NS, Clock
from edge.desk import Refused
from edge.events import RadioActed
from edge.observation import Moment
from edge.plan import Plan
from edge.store import StoreError
from edge.view import AskView, RadioView

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Open:
    """A question a person has not answered."""

    question: Question
    answer: asyncio.Future[int | bool | None]


class Bluetooth:
    """Radio and pairing of one hub; `addresses` are those of the enrolled instruments, by name."""

    def __init__(
        self,
        settings: BluetoothSettings,
        addresses: Mapping[str, str],
        clock: Clock,
        chronicle: Chronicle,
    ) -> None:
        self._addresses = addresses
        self._names = {address: name for name, address in addresses.items()}
        self._clock = clock
        self._chronicle = chronicle
        self._open: dict[str, _Open] = {}
        limits = Limits(
            silence_s=settings.silence_s,
            may_power_cycle=settings.power_cycle,
            may_restart_daemon=settings.restart_daemon,
        )
        enrolled = frozenset(self._names)
        self.radio = Radio(clock, enrolled, limits, self._told, settings.adapter)
        self.radio.answer_pairing(lambda address: address in enrolled, self._asked)

    async def run(self) -> None:
        """Listen until cancelled."""
        await self.radio.run()

    def reaching(self, plans: Sequence[Plan]) -> tuple[Plan, ...]:
        """Return the plans with those of Bluetooth instruments reached by this radio."""
        return tuple(
            self._reached(plan, self._addresses[plan.name])
            if plan.name in self._addresses
            else plan
            for plan in plans
        )

    def _reached(self, plan: Plan, address: str) -> Plan:
        connect = partial(self._connect, address, plan.granted)
        if (pipe := plan.entry.pipe) is None:
            return replace(plan, open=connect, address=address)
        return replace(plan, open=lambda now: piped(connect(now), pipe), address=address)

    def view(self) -> RadioView:
        """Return the radio for a screen: what was heard, and what a person is asked."""
        now, health = self._clock.now(), self.radio.health
        heard = self.radio.scanner.seen
        return RadioView(
            adapter=health.adapter,
            heard_s=_age(health.heard, now),
            advertisements=health.advertisements,
            connections=health.connections,
            trouble=health.trouble,
            instruments={
                name: _age(heard.get(address), now) for name, address in self._addresses.items()
            },
            asks=tuple(
                AskView(self._names[each.question.address], each.question.asked, _shown(each))
                for each in self._open.values()
            ),
        )

    def answer(self, instrument: str, passkey: int | None, *, agree: bool) -> None:
        """Answer what was asked while an instrument pairs, or raise Refused."""
        address = self._addresses.get(instrument)
        asked = self._open.get(address) if address is not None else None
        if asked is None or asked.answer.done():
            raise Refused(f"{instrument} does not ask to be paired now")
        if agree and asked.question.asked is Asked.ENTER and passkey is None:
            raise Refused(f"type the passkey that {instrument} shows, or that is on its label")
        if not agree:
            asked.answer.set_result(None)
        elif asked.question.asked is Asked.ENTER:
            asked.answer.set_result(passkey)
        else:
            asked.answer.set_result(True)

    def _connect(
        self, address: str, granted: frozenset[Write], now: Callable[[], Instant]
    ) -> AbstractAsyncContextManager[GattLink]:
        return self.radio.open(address, now, granted)

    async def _told(self, news: News) -> None:
        """Journal what the radio did; a store that takes nothing must not stop its repair."""
        at = Moment.of(news.at, self._clock.era)
        try:
            await self._chronicle.record(RadioActed(at=at, step=news.step, text=news.text))
        except StoreError as error:
            log.warning("not journaled: radio: %s: %s", news.step, error)

    async def _asked(self, question: Question) -> int | bool | None:
        """Have a person answer; Just Works of an enrolled instrument needs none."""
        if question.asked is Asked.AUTHORIZE:
            return True
        name = self._names[question.address]
        log.info("pairing: %s: %s", name, question.asked)  # never the passkey
        answer: asyncio.Future[int | bool | None] = asyncio.get_running_loop().create_future()
        mine = self._open[question.address] = _Open(question, answer)
        try:
            async with asyncio.timeout(PERSON_S):
                return await answer
        except TimeoutError:
            return None
        finally:
            if self._open.get(question.address) is mine:
                del self._open[question.address]


def _age(at: Instant | None, now: Instant) -> float | None:
    return None if at is None else (now.mono_ns - at.mono_ns) / NS


def _shown(asked: _Open) -> int | None:
    return asked.question.passkey
