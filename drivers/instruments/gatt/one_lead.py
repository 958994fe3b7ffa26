"""Belts and sensors that send a one-lead ECG beside their heart rate: Polar H10, Movesense.

The lead is across the chest and none of the twelve: it is called by no name of theirs. Its samples
are a waveform for what is derived from it; the heart rate is the sensor's own. The stream begins
only where choosing what is sent (`select-format`) is granted.
"""

from drivers.contract import Write
from drivers.instruments.gatt.heart_rate import Belt
from drivers.instruments.gatt.meaning import Command, Said, Strip
from drivers.model import ONE_LEAD, Unit
from drivers.protocols.gatt import characteristics, movesense, polar
from drivers.protocols.gatt.characteristics import Frame
from drivers.protocols.gatt.movesense import MovesenseAnswer, MovesenseEcg
from drivers.protocols.gatt.polar import PolarAnswer, PolarEcg, PolarOther

_MICROVOLTS = 1000.0  # in a millivolt
_FOUND = 200  # and up to 299: what was asked for is done


class PolarBelt(Belt):
    """A heart rate sensor, and its ECG at 130 Hz."""

    driver = "polar-h10"
    streamed = (
        *Belt.streamed,
        (characteristics.POLAR_CONTROL,),
        (characteristics.POLAR_DATA,),
    )
    commands = (Command(Write.SELECT_FORMAT, characteristics.POLAR_CONTROL, polar.START_ECG),)

    def read(self, channel: str, frame: Frame) -> Said:
        """Return the rate, a stretch of ECG, or that the belt sends none."""
        match frame:
            case PolarEcg(microvolts=samples):
                values = tuple(each / _MICROVOLTS for each in samples)
                return Strip(ONE_LEAD, polar.FS, Unit.MILLIVOLT, values)
            case PolarAnswer(error=0):
                return None
            case PolarAnswer(error=error):
                return f"the belt does not send its ECG: error {error}"
            case PolarOther():
                return None
            case _:
                return super().read(channel, frame)


class MovesenseSensor(Belt):
    """A heart rate sensor, and its ECG at 200 Hz in counts."""

    driver = "movesense"
    streamed = (*Belt.streamed, (characteristics.MOVESENSE_NOTIFY,))
    commands = (Command(Write.SELECT_FORMAT, characteristics.MOVESENSE_WRITE, movesense.START_ECG),)

    def read(self, channel: str, frame: Frame) -> Said:
        """Return the rate, a stretch of ECG, or that the sensor sends none."""
        match frame:
            case MovesenseEcg(counts=samples):
                return Strip(ONE_LEAD, movesense.FS, Unit.UNSCALED, tuple(map(float, samples)))
            case MovesenseAnswer(result=result) if _FOUND <= result < _FOUND + 100:
                return None
            case MovesenseAnswer(result=result):
                return f"the sensor does not send its ECG: result {result}"
            case _:
                return super().read(channel, frame)
