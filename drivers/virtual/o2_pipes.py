"""Virtual oximeters behind a Bluetooth LE pipe: Viatom O2, PC-60FW, Masimo MightySat."""

import msgspec

from drivers.protocols import masimo_mightysat, viatom_o2, viatom_pc60fw
from drivers.virtual.course import Ticks
from drivers.virtual.finger import FingerScene, SimpleFinger

_BATTERY = 84
_PERFUSION = 42  # tenths of a percent


class VirtualViatomO2:
    """Answers the question for its sensors and nothing else; the options are FingerScene's."""

    def __init__(self, seed: int, **options: object) -> None:
        self._finger = SimpleFinger(seed, msgspec.convert(options, FingerScene))
        self._now_s = 0.0
        self._heard = b""

    def due(self, elapsed_s: float) -> bytes:
        """Let time pass; the oximeter says nothing of its own accord."""
        self._now_s = max(self._now_s, elapsed_s)
        return b""

    def hear(self, data: bytes) -> bytes:
        """Answer each whole question."""
        question = viatom_o2.command(viatom_o2.READ_SENSORS)
        *asked, rest = (self._heard + data).split(question)
        self._heard = rest[-len(question) :]
        return b"".join(viatom_o2.encode(self._answer()) for _ in asked)

    def _answer(self) -> viatom_o2.Answer:
        off = self._finger.is_off(self._now_s)
        spo2, pulse = (0, 0) if off else self._finger.shown(self._now_s)
        perfusion, worn = (0, 0) if off else (_PERFUSION, 1)
        data = (spo2, pulse, 0, 0, 0, 0, 0, _BATTERY, 0, 0, perfusion, worn, 0)
        return viatom_o2.Answer(0, bytes(data))


class VirtualPc60fw:
    """Sends its numbers once a second; the options are FingerScene's."""

    def __init__(self, seed: int, **options: object) -> None:
        self._finger = SimpleFinger(seed, msgspec.convert(options, FingerScene))
        self._ticks = Ticks(1.0)

    def due(self, elapsed_s: float) -> bytes:
        """Return the packets of the seconds since the last call."""
        packets = (self._packet(float(tick)) for tick in self._ticks.until(elapsed_s))
        return b"".join(viatom_pc60fw.encode(packet) for packet in packets)

    def hear(self, data: bytes) -> bytes:  # noqa: ARG002 - it is never spoken to
        """Ignore what the host wrote."""
        return b""

    def _packet(self, at_s: float) -> viatom_pc60fw.Packet:
        off = self._finger.is_off(at_s)
        spo2, pulse = (0, 0) if off else self._finger.shown(at_s)
        content = (
            bytes((spo2,)) + pulse.to_bytes(2, "little") + bytes((0 if off else _PERFUSION, 0, 0))
        )
        return viatom_pc60fw.Packet(viatom_pc60fw.OXIMETRY, viatom_pc60fw.NUMBERS, content)


class VirtualMightySat:
    """Sends its numbers once a second after it was told to; the options are FingerScene's."""

    def __init__(self, seed: int, **options: object) -> None:
        self._finger = SimpleFinger(seed, msgspec.convert(options, FingerScene))
        self._ticks = Ticks(1.0)
        self._heard = b""
        self._sends = False

    def due(self, elapsed_s: float) -> bytes:
        """Return the frames of the seconds since the last call."""
        seconds = self._ticks.until(elapsed_s)
        if not self._sends:
            return b""
        return b"".join(masimo_mightysat.encode(self._frame(float(tick))) for tick in seconds)

    def hear(self, data: bytes) -> bytes:
        """Begin to send when told to."""
        self._heard = (self._heard + data)[-len(masimo_mightysat.SEND) :]
        self._sends = self._sends or self._heard == masimo_mightysat.SEND
        return b""

    def _frame(self, at_s: float) -> masimo_mightysat.Frame:
        off = self._finger.is_off(at_s)
        spo2, pulse = (0, 0) if off else self._finger.shown(at_s)
        content = bytearray(masimo_mightysat.SIZE - 4)
        content[4:6] = spo2.to_bytes(2)
        content[6:8] = pulse.to_bytes(2)
        content[11:13] = (0 if off else 10 * _PERFUSION).to_bytes(2)
        return masimo_mightysat.Frame(masimo_mightysat.NUMBERS, bytes(content))
