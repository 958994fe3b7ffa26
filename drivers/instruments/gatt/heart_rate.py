"""Heart rate sensors with the Heart Rate Service (0x180D): a stream, with nothing stored."""

from drivers import plausibility
from drivers.instruments.gatt.meaning import Meaning, Said, Streaming, evidence_of
from drivers.model import Kind, Metric, Reading, Status, Unit
from drivers.protocols.gatt import characteristics
from drivers.protocols.gatt.characteristics import Frame
from drivers.protocols.gatt.heart_rate import RR_PER_S, HeartRate


class Belt(Streaming):
    """What a belt says of the heart under it; remembers nothing."""

    driver = "ble-heart-rate"
    streamed: tuple[tuple[str, ...], ...] = ((characteristics.HEART_RATE,),)

    def read(self, channel: str, frame: Frame) -> Said:
        """Return the rate of the moment, none without contact to the skin."""
        del channel
        if not isinstance(frame, HeartRate):
            return None
        if frame.contact is False:
            rate = Reading(Metric.HEART_RATE, None, Unit.PER_MIN, Status.SENSOR_OFF)
        else:
            rate = plausibility.reading(Metric.HEART_RATE, float(frame.rate), Unit.PER_MIN)
        intervals = " ".join(f"{rr / RR_PER_S:.3f}" for rr in frame.rr or ())
        return Meaning(
            Kind.HEART_RATE,
            (rate,),
            evidence=evidence_of(("rr-s", intervals or None)),
            is_live=True,
        )
