"""A virtual Nonin oximeter: streams the selected format, stores spot checks, obeys commands.

model     formats       commands
OEM III   2, 7, 8       selects formats; has no clock and no identity to tell: silent on those
3150      2, 7, 8, 13   all
9560      2, 7, 8, 13   all, but only in the first five seconds after connection

What the sources do not say is this project's choice: that OEM III refuses format 13 with NAK, that
a long selection with a wrong sum is refused, that anything else not understood is not answered.
Answers stand between frames, and a selection cuts the packet under way short, as the real ones do.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

import msgspec

from drivers.protocols import nonin_control, nonin_stream
from drivers.protocols.nonin import encode
from drivers.protocols.nonin_control import (
    Ack,
    Block,
    ClockReply,
    DeviceTypeReply,
    Nak,
    SerialReply,
)
from drivers.protocols.nonin_df8 import SecondFrame, SecondStatus, Stat2
from drivers.protocols.nonin_df13 import SpotCheck, SpotStatus, bcd_stamp
from drivers.protocols.nonin_stream import FRAMES, FS, FrameStatus, PlethPacket
from drivers.virtual.nonin_finger import Scene, finger_of, within

LISTENS_S = 5.0
STORED_EVERY = timedelta(hours=1, minutes=7)
_FACTORY_FORMAT = {"OEM III": 2, "3150": 13, "9560": 13}
_TYPE_CODE = {"3150": b"\x18\x05\x09", "9560": b"\x9e\x09"}
_FIRMWARE = 0x94
_MISSING = (511, 127)


class VirtualNonin:
    """Sends each frame when its time is over; the options are those of Scene."""

    def __init__(self, seed: int, **options: object) -> None:
        self._finger = finger_of(seed, msgspec.convert(options, Scene))
        self._scene = scene = self._finger.scene
        self._format = scene.data_format or _FACTORY_FORMAT[scene.model]
        self._now_s = 0.0
        self._since_s = 0.0  # when this format was selected
        self._sent = 0  # frames, seconds or nothing, since then
        self._packet: PlethPacket | None = None
        self._clock = scene.started + timedelta(seconds=scene.clock_offset_s)  # at second 0
        self._heard = bytearray()
        self._stored = [self._from_memory(number) for number in range(scene.backlog, 0, -1)]
        self._spots = sorted(scene.spot_at_s)

    def due(self, elapsed_s: float) -> bytes:
        """Return the frames, seconds or records that are over."""
        self._now_s = max(self._now_s, elapsed_s)
        self._store_spots()
        if self._format == 13:
            records, self._stored = self._stored, []
            return b"".join(encode(record) for record in records)
        fs = 1.0 if self._format == 8 else FS
        whole = int((self._now_s - self._since_s) * fs + 1e-6)
        first, self._sent = self._sent, max(self._sent, whole)
        return b"".join(self._frame(number) for number in range(first, self._sent))

    def hear(self, data: bytes) -> bytes:
        """Take commands and return the answers to those that are whole."""
        if self._scene.model == "9560" and self._now_s > LISTENS_S:
            return b""
        self._heard += data
        return b"".join(encode(reply) for block in self._commands() for reply in self._obey(block))

    def _commands(self) -> Iterator[Block]:
        while self._heard:
            block = nonin_control.read_block(self._heard, 0, 0x70)
            if isinstance(block, Block):
                del self._heard[: len(bytes(block))]
                yield block
            elif block is None:
                del self._heard[0]
            else:
                return

    def _obey(
        self, command: Block
    ) -> Iterator[Ack | Nak | ClockReply | DeviceTypeReply | SerialReply]:
        if command.operation == nonin_control.SELECT_FORMAT:
            yield Ack() if self._select(command.data) else Nak()
        elif self._scene.model == "OEM III":
            return
        elif command.operation == nonin_control.CLOCK:
            now = self._clock + timedelta(seconds=self._now_s)
            if not command.data:
                yield ClockReply(nonin_control.clock_stamp(now))
            elif (wanted := ClockReply(command.data[:6].ljust(6, b"\0")).local) is not None:
                self._clock += wanted - now
        elif command == Block(nonin_control.DEVICE_TYPE, b""):
            yield DeviceTypeReply(_TYPE_CODE[self._scene.model])
        elif command == Block(nonin_control.SERIAL, b"\x02\x02"):
            yield SerialReply(2, self._scene.serial)

    def _select(self, data: bytes) -> bool:
        wanted = data[1] if len(data) > 1 else 0
        allowed = (2, 7, 8) if self._scene.model == "OEM III" else (2, 7, 8, 13)
        long_form = nonin_control.select_format_long(
            wanted,
            spot_check=bool(data[2:3] and data[2] & 0x40),
            bluetooth_on=bool(data[2:3] and data[2] & 0x20),
        )
        forms = (nonin_control.select_format(wanted), long_form)
        if wanted not in allowed or bytes(Block(nonin_control.SELECT_FORMAT, data)) not in forms:
            return False
        self._format, self._since_s, self._sent, self._packet = wanted, self._now_s, 0, None
        return True

    def _frame(self, number: int) -> bytes:
        if self._format == 8:
            return encode(self._second(self._since_s + number + 1))
        index = number % FRAMES
        if index == 0 or self._packet is None:
            self._packet = self._next_packet(number // FRAMES)
        return nonin_stream.encode_frame(self._packet, index)

    def _next_packet(self, number: int) -> PlethPacket:
        start_s = self._since_s + number * FRAMES / FS
        times = [start_s + index / FS for index in range(FRAMES)]
        status = [self._status(at_s) for at_s in times]
        status[0] |= FrameStatus.SYNC
        full = 255 if self._format == 2 else 65535
        pleth = tuple(round(sample * full) for sample in self._finger.wave(times))
        return PlethPacket(self._format, bytes(status), pleth, self._slots(start_s, number))

    def _status(self, at_s: float) -> FrameStatus:
        scene, status = self._scene, FrameStatus.ALWAYS
        if within(scene.sensor_disconnected, at_s) and scene.model != "9560":
            status |= FrameStatus.SENSOR_DISCONNECTED
        if self._finger.is_off(at_s):
            return status | FrameStatus.SENSOR_ALARM
        if within(scene.artifact, at_s):
            status |= FrameStatus.ARTIFACT
        if self._finger.is_out_of_track(at_s):
            status |= FrameStatus.OUT_OF_TRACK
        if self._finger.is_lit(at_s):
            weak = within(scene.low_perfusion, at_s)
            status |= FrameStatus.RED if weak else FrameStatus.GREEN
        return status

    def _slots(self, at_s: float, number: int) -> bytes:
        recorded = self._finger.recorded(at_s) or _MISSING
        displayed = self._finger.displayed(at_s) or _MISSING
        rate, rate_d = (bytes((pulse >> 7, pulse & 0x7F)) for pulse, _ in (recorded, displayed))
        spo2, spo2_d = bytes((recorded[1],)), bytes((displayed[1],))
        timer = bytes((number >> 7 & 0x7F, number & 0x7F))
        head = rate + spo2 + bytes((_FIRMWARE, 0)) + timer + bytes((self._stat2(at_s),))
        middle = spo2_d + spo2 * 2 + bytes(2) + rate + spo2 + spo2_d + bytes(2)
        return head + middle + rate_d * 2 + bytes(2)

    def _stat2(self, at_s: float) -> Stat2:
        good = self._finger.recorded(at_s) and not within(self._scene.artifact, at_s)
        stat2 = Stat2.SMARTPOINT if good else Stat2(0)
        return stat2 | Stat2.LOW_BATTERY if self._scene.low_battery else stat2

    def _second(self, at_s: float) -> SecondFrame:
        seen, status = self._status(at_s), SecondStatus(0)
        rate, spo2 = self._finger.displayed(at_s) or _MISSING
        for frame_bit, second_bit in (
            (FrameStatus.ARTIFACT, SecondStatus.ARTIFACT),
            (FrameStatus.OUT_OF_TRACK, SecondStatus.OUT_OF_TRACK),
            (FrameStatus.SENSOR_DISCONNECTED, SecondStatus.SENSOR_DISCONNECTED),
        ):
            status |= second_bit if frame_bit in seen else SecondStatus(0)
        if within(self._scene.low_perfusion, at_s):
            status |= SecondStatus.LOW_PERFUSION
        stat2 = self._stat2(at_s)
        if FrameStatus.SENSOR_ALARM in seen:
            stat2 |= Stat2.SENSOR_ALARM
        return SecondFrame(status, rate, spo2, stat2)

    def _store_spots(self) -> None:
        while self._spots and self._spots[0] <= self._now_s:
            at_s = self._spots.pop(0)
            fresh = self._format == 13 and self._now_s - at_s < 1.0
            taken = self._clock + timedelta(seconds=at_s)
            values = self._finger.displayed(at_s)
            self._stored.append(self._record(taken, values, from_memory=not fresh))

    def _from_memory(self, number: int) -> SpotCheck:
        """Return a spot check of somebody else, `number` patients ago."""
        taken: datetime = self._clock - number * STORED_EVERY
        other = (self._scene.pulse_rate + 7 * number) % 60 + 55, 90 + (3 * number) % 9
        return self._record(taken, other, from_memory=True)

    def _record(
        self, taken: datetime, values: tuple[int, int] | None, *, from_memory: bool
    ) -> SpotCheck:
        rate, spo2 = values or _MISSING
        status = SpotStatus.SMARTPOINT if values else SpotStatus.NO_MEASUREMENT
        if from_memory:
            status |= SpotStatus.FROM_MEMORY
        if self._scene.low_battery:
            status |= SpotStatus.LOW_BATTERY
        return SpotCheck(bcd_stamp(taken), status, rate, spo2)
