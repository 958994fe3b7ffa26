"""Why a line is not understood: pure, from what came in and what decoders make of it.

seen                                                     said
the bytes are whole frames of another driver             which driver
they are, once bit 7 is taken off                        seven data bits and parity
the port itself counted framing or parity errors         wrong baud or parity
XON and XOFF never come, their neighbours do, and        something on the way does software
frames have holes                                        flow control
text of which nothing is a line of the format            another format or model
anything else                                            wrong baud or parity, or another instrument
"""

from collections.abc import Mapping

from drivers.registry import REGISTRY, Confidence, Entry, LinkKind
from drivers.tally import Tally

NOISE_BYTES = 64  # fewer say nothing: an adapter spits some out when it is plugged in
FITS = 0.9
ALIEN_FRAMES = 2  # one short frame without a checksum is found in any noise
NOISY = 0.02  # of the bytes of a stream that is understood
FLOW_EXPECTED = 12.0  # bytes of each neighbouring value
XON, XOFF = 0x11, 0x13
NEIGHBOURS = (0x10, 0x12, 0x14, 0x15)
DETECT = "`vitals-edge detect` tries them all"


def why_nothing(name: str | None, tally: Tally, errors: Mapping[str, int]) -> str:
    """Return why nothing that was heard is a frame of driver `name`, or of any driver.

    `errors` are those that the port itself counted.
    """
    sample = tally.recent
    others = fitting(sample, but=name)
    if others and name is not None:
        return f"this is {' or '.join(others)}, not {name}; correct the driver or the cable"
    if max(sample, default=0) >= 0x80 and (seven := fitting(_seven(sample))):
        return (
            f"it sends seven data bits and parity, as {' or '.join(seven)} may: set the "
            "instrument, or `line`, to match"
        )
    if told := _told_by_port(errors):
        return f"the port counts {told}: wrong baud or parity; {DETECT}"
    if _is_text(sample):
        return "it is text of another format: choose the output format on the instrument"
    return f"wrong baud or parity, or another instrument; {DETECT}"


def why_some(tally: Tally, errors: Mapping[str, int]) -> str:
    """Return what damages a stream that is understood in part; empty if hardly anything is lost."""
    decided = tally.framed + tally.skipped
    if decided < NOISE_BYTES or tally.skipped <= decided * NOISY:
        return ""
    lost = f"{100 * tally.skipped / decided:.0f} % of the bytes are no frame"
    if loses_flow_control(tally):
        return (
            f"{lost}: the values 11 and 13 hex never arrive; something on the way takes them for "
            "XON and XOFF: switch software flow control off in the serial server or adapter"
        )
    if told := _told_by_port(errors):
        return f"{lost} and the port counts {told}: check cable, ground, baud and parity"
    return f"{lost}: check the cable, its length and its ground"


def loses_flow_control(tally: Tally) -> bool:
    """Tell whether the values of XON and XOFF are missing where they should be seen."""
    values = tally.values
    expected = min(values[neighbour] for neighbour in NEIGHBOURS)
    return expected >= FLOW_EXPECTED and values[XON] == values[XOFF] == 0


def fitting(sample: bytes, *, but: str | None = None) -> list[str]:
    """Return the drivers of which a sample is whole frames, but for its two ends.

    An experiment is not named to people: nobody has seen what its frames do not look like.
    """
    return [
        name
        for name, entry in sorted(REGISTRY.items())
        if name != but and _is_known(entry) and _share(entry, sample) >= FITS
    ]


def _is_known(entry: Entry) -> bool:
    return LinkKind.SERIAL in entry.links and entry.confidence is not Confidence.EXPERIMENTAL


def _share(entry: Entry, sample: bytes) -> float:
    """Return how much of a sample is frames, but for what was cut off at its two ends."""
    tally = Tally.of(entry)
    tally.hear(sample)
    return tally.fit if tally.frames >= ALIEN_FRAMES else 0.0


def _seven(sample: bytes) -> bytes:
    return bytes(byte & 0x7F for byte in sample)


def _is_text(sample: bytes) -> bool:
    plain = sum(0x20 <= byte < 0x7F or byte in b"\r\n\t" for byte in sample)
    return bool(sample) and plain >= FITS * len(sample)


def _told_by_port(errors: Mapping[str, int]) -> str:
    return " and ".join(f"{count} {what} errors" for what, count in errors.items() if count)
