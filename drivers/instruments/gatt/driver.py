"""A session with a Bluetooth LE instrument of any profile.

What is known of it and its settings come first, what it stored last: many a cuff sends and hangs up
as soon as it is subscribed to. What was stored is made durable from the moment it arrives, whatever
the session waits for then.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from drivers.contract import Arrived, Emit, GattLink, Host, Write, channel_name
from drivers.errors import DeviceMismatch, LinkLost, RequestRefused
from drivers.inflation import Inflation
from drivers.instruments.gatt.clock import CHANNELS, DeviceClock
from drivers.instruments.gatt.introduction import ask, introduce
from drivers.instruments.gatt.meaning import Command, InCuff, Meaning, Profile, Strip
from drivers.instruments.gatt.records import Fetch
from drivers.instruments.gatt.settings import Settings
from drivers.model import (
    Chunk,
    DeviceTime,
    Flag,
    Instant,
    Kind,
    Measurement,
    Notice,
    NoticeKind,
    Skipped,
    Waveform,
)
from drivers.protocols.gatt import characteristics
from drivers.protocols.gatt.characteristics import Frame, decode
from drivers.protocols.gatt.device import Battery
from drivers.protocols.gatt.fields import Malformed
from drivers.protocols.gatt.record_access import RecordAccess

LOW_BATTERY_PERCENT = 10
NS = 1_000_000_000


class Instrument:
    """Emit every value; what it is worth to a visit is the edge's business."""

    def __init__(self, host: Host, settings: Settings, profile: Profile) -> None:
        self._host = host
        self._settings = settings
        self._profile = profile

    async def run(self, link: GattLink, emit: Emit) -> None:
        """Get to know the instrument, subscribe, and emit until the link is lost.

        A link that is lost in the beginning may have brought values all the same.
        """
        session = _Session(self._host, self._settings, self._profile, link, emit)
        try:
            await session.begin()
        except LinkLost:
            self._host.count("lost_in_introduction")
        except DeviceMismatch:
            await session.end()
            raise
        try:
            async for chunk in link:
                await session.take(chunk)
        except LinkLost:
            await session.end()
            raise


class _Session:
    def __init__(
        self, host: Host, settings: Settings, profile: Profile, link: GattLink, emit: Emit
    ) -> None:
        self._host = host
        self._profile = profile
        self._link = link
        self._emit = emit
        self._clock = DeviceClock(host, settings)
        self._asks = settings.quirks.asks
        self._fetch = Fetch(host, link, partial(self._notice, NoticeKind.REFUSED))
        self._stored = frozenset(channel for each in profile.stored for channel in each)
        self._context: list[int] = []  # kept: what was read of identity and clock
        self._keeping: dict[int, asyncio.Future[int]] = {}  # arrived, and not yet looked at
        self._open: list[_Payload] = []  # of measurements not yet whole
        self._seen: set[tuple[str, bytes]] = set()
        self._inflation = Inflation()
        self._low_battery = False

    async def begin(self) -> None:
        """Read what there is to know, then subscribe: last to what may be sent only once."""
        asked = partial(ask, self._link, keep=self._keep_context)
        self._host.identify(await introduce(self._profile.driver, self._link.peer, asked))
        await self._battery(await asked(characteristics.BATTERY))
        for channel in self._profile.facts:
            fact = await asked(channel)
            if fact is not None:
                self._profile.learn(fact)
        await self._clock.compare(self._link, self._keep_context, self._clock_notice)
        for command in self._asks:
            await self._begin(command)
        live = [await self._subscribe(channels) for channels in self._profile.streamed]
        kept = [await self._subscribe(channels, self._keep) for channels in self._profile.stored]
        if not any((*live, *kept)):
            raise DeviceMismatch(
                f"{self._link.peer.address} is no {self._profile.driver}: it has none of the "
                "characteristics that such an instrument sends"
            )
        for command in self._profile.commands:
            await self._begin(command)
        if self._profile.has_records and self._host.may(Write.FETCH):
            await self._fetch.begin()

    async def take(self, chunk: Chunk) -> None:
        """Take one payload; what may have been stored is made durable before it is looked at."""
        channel = channel_name(chunk.channel or "")
        kept = await self._kept(chunk) if channel in self._stored else None
        frame = decode(channel, chunk.data)
        if channel in CHANNELS:
            self._clock.hear(chunk)
        elif isinstance(frame, RecordAccess):
            await self._fetch.hear(frame)
        elif isinstance(frame, Malformed):
            await self._skip(frame, kept)
        else:
            await self._read(channel, frame, chunk, kept)

    async def end(self) -> None:
        """Tell what waits for more, and let go of what was kept for this session."""
        meaning = self._profile.end()
        if meaning is not None:
            await self._tell(meaning, self._open)
        await asyncio.gather(*self._keeping.values(), return_exceptions=True)
        for kept in self._context:
            await self._settle(kept)

    async def _read(self, channel: str, frame: Frame, chunk: Chunk, kept: int | None) -> None:
        payload = _Payload(channel, chunk, kept)
        if any((channel, chunk.data) == (each.channel, each.chunk.data) for each in self._open):
            await self._twice([payload])
            return
        said = self._profile.read(channel, frame)
        if isinstance(said, InCuff):
            self._inflation.saw(said.mmhg, chunk.at)
            said = said.words
        if isinstance(said, Meaning):
            before = [each for each in self._open if said.completes and each.channel == channel]
            self._open = [each for each in self._open if each not in before]
            if said.next_begins:
                self._open.append(payload)
            await self._tell(said, before if said.next_begins else [*before, payload])
        elif isinstance(said, Strip):
            samples = np.array([said.samples])
            await self._emit(Waveform((said.signal,), said.fs, said.unit, samples, chunk.at))
        elif isinstance(said, str):
            await self._notice(NoticeKind.STATE, said, chunk.at)
        elif channel in self._stored:
            self._open.append(payload)
        else:
            self._host.count("payloads_on_the_way")

    async def _tell(self, meaning: Meaning, payloads: Sequence["_Payload"]) -> None:
        """Emit what payloads mean, unless they were told before."""
        raw = b"".join(each.chunk.data for each in payloads)
        key = (payloads[-1].channel, raw)
        again = not meaning.is_live and key in self._seen
        if not meaning.is_live:
            self._seen.add(key)
            self._fetch.received(raw)
        if again and meaning.taken is not None:
            await self._twice(payloads)
            return
        at = payloads[-1].chunk.at
        flags = meaning.flags | _of_memory(meaning, again=again)
        time = self._clock.place(meaning.taken, at) if meaning.taken else None
        await self._emit(
            Measurement(
                meaning.kind,
                meaning.readings,
                at,
                raw,
                device_time=time,
                flags=flags | {Flag.LOW_BATTERY} if self._low_battery else flags,
                evidence=meaning.evidence,
                kept=tuple(each.kept for each in payloads if each.kept is not None),
                began=self._seen_to_begin(meaning, time, at),
            )
        )

    def _seen_to_begin(
        self, meaning: Meaning, time: DeviceTime | None, at: Instant
    ) -> Instant | None:
        """Return when a result was seen to begin: only its own time tells that it is no other's."""
        if meaning.kind is not Kind.BLOOD_PRESSURE or time is None or time.age_s is None:
            return None
        before_s = time.age_s + time.age_error_s + time.resolution_s
        return self._inflation.result(meaning.readings, at.mono_ns - round(before_s * NS))

    async def _twice(self, payloads: Sequence["_Payload"]) -> None:
        """Let go of what was told before."""
        self._host.count("duplicates")
        for each in payloads:
            await self._settle(each.kept)

    async def _skip(self, what: Malformed, kept: int | None) -> None:
        self._host.count(f"payloads_{what.reason}")
        if what.raw:
            await self._emit(Skipped(what.raw))
        await self._settle(kept)

    def _keep(self, chunk: Chunk) -> None:
        self._keeping[id(chunk)] = asyncio.ensure_future(self._host.keep(chunk))

    async def _kept(self, chunk: Chunk) -> int:
        keeping = self._keeping.pop(id(chunk), None)
        return await (self._host.keep(chunk) if keeping is None else keeping)

    async def _subscribe(self, channels: Iterable[str], arrived: Arrived | None = None) -> bool:
        """Subscribe to the first of several characteristics that the instrument has."""
        for channel in channels:
            try:
                await self._link.subscribe(channel, arrived)
            except RequestRefused:
                continue
            return True
        return False

    async def _begin(self, command: Command) -> None:
        if not self._host.may(command.purpose):
            return
        try:
            await self._link.write(command.purpose, command.channel, command.data)
        except RequestRefused as error:
            await self._notice(NoticeKind.REFUSED, f"{command.purpose} is refused: {error}")

    async def _battery(self, said: Frame | None) -> None:
        if isinstance(said, Battery):
            self._low_battery = said.percent <= LOW_BATTERY_PERCENT
            await self._notice(NoticeKind.STATE, f"battery {said.percent} %")

    async def _keep_context(self, chunk: Chunk) -> None:
        self._context.append(await self._host.keep(chunk))

    async def _settle(self, kept: int | None) -> None:
        if kept is not None:
            await self._host.settle(kept)

    async def _clock_notice(self, text: str, at: Instant) -> None:
        await self._notice(NoticeKind.CLOCK, text, at)

    async def _notice(self, kind: NoticeKind, text: str, at: Instant | None = None) -> None:
        await self._emit(Notice(kind, text, at or self._host.now()))


@dataclass(frozen=True, slots=True)
class _Payload:
    """What came in one chunk, and the number it is kept under."""

    channel: str
    chunk: Chunk
    kept: int | None


def _of_memory(meaning: Meaning, *, again: bool) -> frozenset[Flag]:
    """Return the flags of a value that nothing places in time."""
    if meaning.is_live or meaning.taken is not None:
        return frozenset()
    return frozenset({Flag.FROM_MEMORY, Flag.POSSIBLE_DUPLICATE} if again else {Flag.FROM_MEMORY})
