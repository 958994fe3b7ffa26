"""A&D UA-767PBT cuff and its sister scales, which connect when they have measured.

A packet says when its value was measured and when it was sent, both by the same clock, so its age
is known whatever that clock shows. Where `fetch` is granted the hub takes what is durable with
PWA1, `ANSWER_S` later, as the receiver this is known from does; else the instrument keeps it and
sends it again, which is counted and not taken twice. What an instrument asks for is not answered.

Stamped        every packet; a reading without a head has no time and is flagged from-memory
failed         a cuff's marker other than 80
Not taken      a scale's height, which somebody typed in, and what there is no metric for: evidence
"""

import re
from collections.abc import Iterator
from contextlib import suppress

import msgspec

from drivers.contract import ByteLink, Emit, Host, Write
from drivers.errors import LinkLost
from drivers.instruments.and_ua767.pc import measurement as cuff
from drivers.model import (
    DeviceTime,
    Flag,
    Instant,
    InstrumentId,
    Kind,
    Measurement,
    Metric,
    Reading,
    Skipped,
    Unit,
)
from drivers.plausibility import reading
from drivers.protocols.and_ua767pbt import TAKEN, Ask, Decoder, Packet, Said

DRIVER = "and-ua767pbt"
ANSWER_S = 0.25
RESOLUTION_S = 1.0
ON_THE_WAY_S = 5.0  # how long a packet may be between its clock and ours; nobody measured it

_WEIGHT = re.compile(r"([+-]?\d{1,4}\.\d{1,2})(kg|lb)")
_FAT = re.compile(r"(\d{1,3}\.\d)%")
_UNITS = {"kg": Unit.KG, "lb": Unit.POUND}
_EVIDENCE = {
    "HT": "height set",
    "RT": "impedance",
    "BT": "basal metabolism",
    "MT": "muscle",
    "WT": "water",
}


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The instrument sends on its own; whether it is answered is a matter of grants."""


class AndUa767pbt:
    """Emit what each packet holds, once."""

    def __init__(self, host: Host, _settings: Settings) -> None:
        self._host = host
        self._last: tuple[Measurement, ...] = ()
        self._who: InstrumentId | None = None

    async def run(self, link: ByteLink, emit: Emit) -> None:
        """Decode, and take what was emitted, until the link is lost."""
        decoder = Decoder()
        async for chunk in link:
            for item in decoder.feed(chunk.data):
                if isinstance(item, Skipped):
                    await emit(item)
                elif not isinstance(item, Ask):
                    await self._take(item, chunk.at, link, emit)

    async def _take(self, said: Said, at: Instant, link: ByteLink, emit: Emit) -> None:
        if isinstance(said, Packet):
            self._identify(said)
        for each in self._new(said, at):
            await emit(each)
        if isinstance(said, Packet) and self._host.may(Write.FETCH):
            await self._host.sleep(ANSWER_S)
            with suppress(LinkLost):  # the reading tells of it, once all that came has been read
                await link.write(Write.FETCH, TAKEN)

    def _new(self, said: Said, at: Instant) -> Iterator[Measurement]:
        told = tuple(measurements(said, at))
        if [each.raw for each in told] == [each.raw for each in self._last]:
            self._host.count("results_repeated")
            return
        self._last = told
        yield from told

    def _identify(self, packet: Packet) -> None:
        model = packet.model or ("UA-767PBT" if packet.result else None)
        who = InstrumentId(DRIVER, model, packet.serial or None)
        if who != self._who:
            self._who = who
            self._host.identify(who)


def measurements(said: Said, at: Instant) -> Iterator[Measurement]:
    """Yield what a packet or a bare reading says."""
    if isinstance(said, Ask):
        return
    if not isinstance(said, Packet):
        found = cuff(said, at)
        yield Measurement(
            found.kind,
            found.readings,
            at,
            said.raw,
            flags=frozenset({Flag.FROM_MEMORY}),
            evidence=found.evidence,
        )
        return
    result = said.result
    if result is not None:
        found = cuff(result, at)
        yield _stamped(found.kind, found.readings, said, at, found.evidence)
    else:
        yield from _weighed(said, at)


def _weighed(packet: Packet, at: Instant) -> Iterator[Measurement]:
    lines = packet.lines
    evidence = tuple((name, lines[key]) for key, name in _EVIDENCE.items() if key in lines)
    weight, fat = _WEIGHT.fullmatch(lines.get("ST", "")), _FAT.fullmatch(lines.get("FT", ""))
    if weight is not None:
        said = reading(Metric.WEIGHT, max(0.0, float(weight[1])), _UNITS[weight[2]])
        yield _stamped(Kind.WEIGHT, (said,), packet, at, evidence)
    if fat is not None:
        said = reading(Metric.BODY_FAT, float(fat[1]), Unit.PERCENT)
        yield _stamped(Kind.BODY_COMPOSITION, (said,), packet, at, evidence)


def _stamped(
    kind: Kind,
    readings: tuple[Reading, ...],
    packet: Packet,
    at: Instant,
    evidence: tuple[tuple[str, str], ...],
) -> Measurement:
    """Return a measurement whose raw bytes are the same however often it is sent."""
    raw = packet.raw[9:16] + packet.payload
    time = _device_time(packet)
    return Measurement(kind, readings, at, raw, device_time=time, evidence=evidence)


def _device_time(packet: Packet) -> DeviceTime | None:
    measured, sent = packet.measured, packet.sent
    if measured is None or sent is None:
        return None
    age_s = (sent - measured).total_seconds()
    return DeviceTime(measured, RESOLUTION_S, age_s=age_s, age_error_s=ON_THE_WAY_S)
