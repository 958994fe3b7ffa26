"""Contec finger oximeters with protocol V7.0: saturation, pulse rate, perfusion index, pulse wave.

The oximeter streams only when told to: with `select-format` the hub starts the stream, and starts
it again when it fell silent; with `keep-alive` it keeps it from stopping after 30 s; with
`identify` it asks for the model and the identifier first. Stored data is never asked for.

no finger (b7 of byte 0)                      sensor-off
searching (b7 of byte 1), searching too long  searching
pulse FF, SpO2 7F, perfusion FFFF             not-a-number
0                                             no-value: firmware 4.6 sends it without a finger
perfusion index marked invalid                no-value
"""

from collections.abc import Callable, Iterator

import msgspec

from drivers.contract import ByteLink, Emit, Host, Write
from drivers.model import (
    Instant,
    InstrumentId,
    Item,
    Metric,
    Notice,
    NoticeKind,
    Reading,
    Skipped,
    Status,
    Unit,
)
from drivers.plausibility import coded, reading
from drivers.pleth import PlethStream
from drivers.protocols.contec_v7 import (
    ASK_IDENTIFIER,
    ASK_MODEL,
    FEEDBACK,
    FS,
    GOING,
    IDENTIFIER,
    KEEP_ALIVE,
    MODEL,
    REALTIME,
    START_REALTIME,
    Decoder,
    Packet,
    command,
)
from drivers.sessions import Dialogue

DRIVER = "contec-v7"
ANSWER_S = 1.0
ALIVE_S = 5.0
MODEL_CHUNKS = 2

NO_PULSE = 0xFF
NO_SPO2 = 0x7F
NO_PERFUSION = 0xFFFF


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What may be said to the oximeter is a matter of grants; there is nothing else to set."""


class ContecV7:
    """Emit what the stream says, once a second and at every change."""

    def __init__(self, host: Host, _settings: Settings) -> None:
        self._host = host
        self._stream = PlethStream(FS)
        self._frames = 0
        self._said = b""
        self._readings: tuple[Reading, ...] = ()

    async def run(self, link: ByteLink, emit: Emit) -> None:
        """Start the stream and keep it going, as far as granted, until the link is lost."""

        async def other(item: Packet | Skipped, at: Instant) -> None:
            if isinstance(item, Skipped):
                self._stream.restart()
                await emit(item)
                return
            for said in self._read(item, at):
                await emit(said)

        async with Dialogue(self._host, link, Decoder(), other) as talk:
            await self._identify(talk)
            while True:
                if not self._frames:
                    await talk.tell(Write.SELECT_FORMAT, command(START_REALTIME))
                self._frames = 0
                await talk.tell(Write.KEEP_ALIVE, command(KEEP_ALIVE))
                await talk.listen(ALIVE_S)

    async def _identify(self, talk: Dialogue[Packet]) -> None:
        model = ""
        heard = await talk.ask(Write.IDENTIFY, command(ASK_MODEL), _is(MODEL), ANSWER_S)
        for _ in range(MODEL_CHUNKS):
            if heard is None:
                break
            model += _text(heard[0].payload[1:])
            heard = await talk.listen(ANSWER_S, _is(MODEL))
        answer = await talk.ask(Write.IDENTIFY, command(ASK_IDENTIFIER), _is(IDENTIFIER), ANSWER_S)
        serial = _text(answer[0].payload) if answer else ""
        if model or serial:
            self._host.identify(InstrumentId(DRIVER, model or None, serial or None))

    def _read(self, packet: Packet, at: Instant) -> Iterator[Item]:
        if packet.kind == REALTIME:
            self._frames += 1
            away = bool(packet.payload[0] & 0x80)
            sample = float("nan") if away else float(packet.payload[1] & 0x7F)
            yield from self._stream.add(sample, self._known(packet), packet.raw, at)
        elif packet.kind == FEEDBACK and packet.payload[1]:
            text = f"command {packet.payload[0]:02X} was refused, reason {packet.payload[1]}"
            yield Notice(NoticeKind.REFUSED, text, at)
        elif packet.kind == GOING:
            text = f"the oximeter ends the connection, reason {packet.payload[0]}"
            yield Notice(NoticeKind.STATE, text, at)

    def _known(self, packet: Packet) -> tuple[Reading, ...]:
        """Return the readings of a packet, built anew only when it says something else."""
        state, wave, *rest = packet.payload
        said = bytes((state & 0x90, wave & 0x80, *rest[1:], rest[0] & 0x10))
        if said != self._said:
            self._said, self._readings = said, readings(packet)
        return self._readings


def readings(packet: Packet) -> tuple[Reading, ...]:
    """Return what a packet of the stream says."""
    state, wave, bar, pulse, spo2, low, high = packet.payload
    status = Status.OK
    if state & 0x80:
        status = Status.SENSOR_OFF
    elif wave & 0x80 or state & 0x10:
        status = Status.SEARCHING
    perfusion = low | high << 8
    return (
        coded(Metric.SPO2, spo2, Unit.PERCENT, {NO_SPO2}, status),
        coded(Metric.PULSE_RATE, pulse, Unit.PER_MIN, {NO_PULSE}, status),
        _perfusion(0 if bar & 0x10 else perfusion, status),
    )


def _perfusion(hundredths: int, status: Status) -> Reading:
    if status is Status.OK and hundredths == NO_PERFUSION:
        status = Status.NOT_A_NUMBER
    return reading(Metric.PERFUSION_INDEX, hundredths / 100, Unit.PERCENT, status)


def _is(kind: int) -> Callable[[Packet], bool]:
    return lambda packet: packet.kind == kind


def _text(data: bytes) -> str:
    return "".join(chr(byte) for byte in data if chr(byte).isascii() and chr(byte).isalnum())
