"""Jumper JPD-500F oximeters: a value every second or so, nothing stored.

255 of the pulse, 127 and 177 of the saturation are no values. The pulse wave is not told: how many
samples come in a second is not documented.
"""

from drivers import plausibility
from drivers.instruments.gatt.meaning import Meaning, Said, Streaming
from drivers.model import Kind, Metric, Status, Unit
from drivers.protocols.gatt import characteristics
from drivers.protocols.gatt.characteristics import Frame
from drivers.protocols.gatt.jumper import MISSING_PULSE, MISSING_SPO2, JumperValues

_NO_SATURATION = frozenset({MISSING_SPO2, 177})


class JumperFinger(Streaming):
    """What the oximeter says of the finger in it; remembers nothing."""

    driver = "jumper"
    streamed = ((characteristics.JUMPER_OXIMETRY,),)

    def read(self, channel: str, frame: Frame) -> Said:
        """Return the value of the moment."""
        del channel
        if not isinstance(frame, JumperValues):
            return None
        spo2 = Status.NOT_A_NUMBER if frame.spo2 in _NO_SATURATION else Status.OK
        pulse = Status.NOT_A_NUMBER if frame.pulse_rate == MISSING_PULSE else Status.OK
        index = frame.perfusion / 10
        return Meaning(
            Kind.OXIMETRY,
            (
                plausibility.reading(Metric.SPO2, frame.spo2, Unit.PERCENT, spo2),
                plausibility.reading(Metric.PULSE_RATE, frame.pulse_rate, Unit.PER_MIN, pulse),
                plausibility.reading(Metric.PERFUSION_INDEX, index, Unit.PERCENT, spo2),
            ),
            is_live=True,
        )
