"""A virtual Ivy 450C: a packet a second with a believable ECG, pleth and respiration.

The packet is laid out as the recording of the real monitor. What that recording does not show is
this project's wording, in the monitor's own style: the alarm fields `LEAD OFF`, `SENSOR OFF` and
`APNEA`.
"""

import msgspec
import numpy as np

from drivers.protocols.ivy_ansarb import (
    ECG_MV_PER_STEP,
    ECG_ZERO,
    OFF,
    SLOW_SAMPLES,
    Packet,
    encode,
)
from drivers.virtual.ivy_bed import (
    APNEA_S,
    Bed,
    Drawing,
    PatientInBed,
    Scene,
    Second,
    Signal,
    within,
)

_TOP = 250  # the highest sample of the recording's live waves


class VirtualIvy450C:
    """Sends packet n when second n is over; the options are those of Scene."""

    def __init__(self, seed: int, **options: object) -> None:
        self._scene = scene = msgspec.convert(options, Scene)
        self._bed: Bed = PatientInBed(seed, scene) if scene.is_on_patient else Drawing(seed, scene)
        self._sent = 0

    def due(self, elapsed_s: float) -> bytes:
        """Return the packets of the seconds that ended since the last call."""
        whole = max(self._sent, int(elapsed_s))
        packets = [encode(self._packet(second)) for second in range(self._sent, whole)]
        self._sent = whole
        return b"".join(packets)

    def hear(self, data: bytes) -> bytes:  # noqa: ARG002 - the monitor takes no orders
        """Ignore what the host wrote, as the monitor does."""
        return b""

    def _packet(self, number: int) -> Packet:
        second = self._bed.second(number)
        worn = not within(self._scene.sensor_off, number)
        return Packet(
            ecg=_bytes(second.ecg_mv / ECG_MV_PER_STEP + ECG_ZERO),
            respiration=_bytes(125 + 100 * second.breath),
            pleth=_bytes(118 + 36 * second.pulse * worn),
            p1=bytes([OFF]) * SLOW_SAMPLES,
            p2=bytes([OFF]) * SLOW_SAMPLES,
            lines=_lines(second, worn=worn),
        )


def _lines(second: Second, *, worn: bool) -> tuple[bytes, ...]:
    rate = "" if second.lead_off else second.heart_rate
    breaths = "" if second.lead_off else 0 if second.apnea else second.respiration_rate
    lead = "LEAD OFF" if second.lead_off else ""
    stops = lead or ("APNEA" if second.apnea else "")
    oximetry = f"SPO2=1;{second.spo2};PR={second.pulse_rate:<3};"
    if not worn:
        oximetry = "SPO2=1;;PR=   ;SENSOR OFF"
    pressure = ";;;" if second.nibp is None else ";".join(map(str, second.nibp))
    texts = (
        f"HR=1;{rate};ECG-II-DIAG;{lead}",
        f"RR=1;{breaths};APNEA: {APNEA_S} SEC;{stops}",
        "ETCO2=1;;;",
        oximetry,
        f"NIBP=4;{pressure};;",
        "P1=3;;;;NO TRANSDUCER;",
        "P2=3;;;;NO TRANSDUCER;",
        "T1=1;;;",
        "T2=1;;;",
    )
    return tuple(text.encode("ascii") for text in texts)


def _bytes(samples: Signal) -> bytes:
    return np.clip(np.rint(samples), 0, _TOP).astype(np.uint8).tobytes()
