"""Which virtual instruments stand in the room of the demonstration, and what each is told to play.

Those that can look at the virtual patient do; the others show their own scene. A name of the
registry is enough to choose one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import msgspec

from drivers.contract import Write
from drivers.entry import Entry, LinkKind
from drivers.model import Kind
from drivers.registry import REGISTRY

STRANGER_S = 0  # the pressure that the monitor still shows when the demonstration begins
STRANGER, STRANGERS_PULSE = (151, 93, 112), 88
BACKLOG = 5  # readings of other people in the shared cuff
QUICK_STEP_MMHG = 12.0  # a cuff that is done in some twenty seconds
CLOCK_SLOW_S = 240.0
NINE = "2026-01-05T09:00:00"

# Nobody's instrument is set, started or emptied from a hub unless a site says so; nor here.
_NOT_ALLOWED = frozenset({Write.SET_CLOCK, Write.DELETE_RECORDS, Write.START_MEASUREMENT})


@dataclass(frozen=True, slots=True)
class Wanted:
    """A value that the visit waits for: of one kind, or the first of any."""

    instrument: str
    kind: str = ""
    origin: str = "measured"


@dataclass(frozen=True, slots=True)
class Instrument:
    """A virtual instrument of the room, with its settings at the hub.

    `start_s` is how long after the patient is identified somebody starts it, None: it needs nobody.
    `gives` is what is waited for in a first visit, `again` in one that follows.
    """

    name: str
    driver: str
    virtual: Mapping[str, Any] = field(default_factory=dict)
    allow: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    start_s: float | None = None
    gives: tuple[Wanted, ...] = ()
    again: tuple[Wanted, ...] = ()

    @property
    def entry(self) -> Entry:
        """What the registry knows of it."""
        return REGISTRY[self.driver]

    @property
    def is_cart(self) -> bool:
        """Whether it leaves files in a folder."""
        return self.entry.links == {LinkKind.FOLDER}

    @property
    def is_gatt(self) -> bool:
        """Whether it is reached by Bluetooth LE, or what stands for that here."""
        return self.entry.is_gatt


# Of instruments with a scene of their own: somebody measures soon after the patient came.
_SCENES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "and-tm2655": {"made": [{"at_s": 14}]},
        "and-ua767pbt": {"made": [{"at_s": 14}]},
        "and-ua767pc": {"made": [{"at_s": 14}]},
        "healthometer": {"people": [{"on_s": 6, "off_s": 24, "height_at_s": 12}]},
        "maibobo": {"made": [{"at_s": 36}]},
        "taidoc": {  # its clock counts minutes: one begins shortly before the measurement ends
            "started": "2026-01-05T08:00:45",
            "records": [
                {"at_s": -86400, "value": [148, 112, 94, 81]},
                {"at_s": 17, "value": [121, 92, 78, 69]},
            ],
        },
    }
)
# The time of a cart's recording is known to within its own ten seconds, so that it is surely the
# patient's only where it begins that much later than the scan.
_STARTS_S = MappingProxyType(
    {"ble-thermometer": 1.0, "ble-blood-pressure": 3.0, "ble-scale": 6.0, "ecg-folder": 17.2}
)
_OPTIONS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {"nonin": {"format": 7}, "ecg-folder": {"clock_error_s": 0.2, "poll_s": 0.1, "settle_s": 0.5}}
)
_SCALES = frozenset({Kind.WEIGHT, Kind.HEIGHT, Kind.BODY_COMPOSITION})

DEFAULT = (
    ("monitor", "ivy-450c"),
    ("oximeter", "nonin"),
    ("clip", "ble-oximeter"),
    ("cuff", "ble-blood-pressure"),
    ("thermometer", "ble-thermometer"),
    ("scale", "ble-scale"),
    ("cart", "ecg-folder"),
)
_DEFAULT_GIVES: Mapping[str, tuple[tuple[str, str], ...]] = MappingProxyType(
    {
        "monitor": (
            (Kind.HEART_RATE, "measured"),
            (Kind.OXIMETRY, "measured"),
            (Kind.HEART_RATE, "derived"),
        ),
        "oximeter": ((Kind.OXIMETRY, "measured"),),
        "clip": ((Kind.OXIMETRY, "measured"),),
        "cuff": ((Kind.BLOOD_PRESSURE, "measured"),),
        "thermometer": ((Kind.TEMPERATURE, "measured"),),
        "scale": ((Kind.WEIGHT, "measured"),),
        "cart": (
            (Kind.ECG12, "measured"),
            (Kind.ECG12, "derived"),
            (Kind.ECG12_WAVEFORM, "measured"),
            (Kind.ECG12_ORIGINAL, "measured"),
        ),
    }
)
_AGAIN = frozenset({"monitor", "clip", "thermometer"})


def choosable() -> tuple[str, ...]:
    """Return the drivers whose virtual instruments can stand in the room."""
    reached = {LinkKind.SERIAL, LinkKind.FOLDER}
    return tuple(
        sorted(name for name, entry in REGISTRY.items() if entry.is_gatt or reached & entry.links)
    )


def instruments(
    seed: int, scenario: str, names: Sequence[str] = (), *, started: str = ""
) -> tuple[Instrument, ...]:
    """Return the room's instruments, or those of some drivers, on one virtual patient.

    `started` is what the clocks of Bluetooth instruments show at second 0, less what they are slow.
    """
    if names:
        return tuple(_chosen(name, seed, scenario, started) for name in dict.fromkeys(names))
    return tuple(_default(name, driver, seed, scenario, started) for name, driver in DEFAULT)


def _default(name: str, driver: str, seed: int, scenario: str, started: str) -> Instrument:
    gives = tuple(Wanted(name, kind, origin) for kind, origin in _DEFAULT_GIVES[name])
    return Instrument(
        name,
        driver,
        virtual=_virtual(driver, seed, scenario, started),
        allow=_allowed(driver),
        options=_OPTIONS.get(driver, {}),
        start_s=_STARTS_S.get(driver),
        gives=gives,
        again=gives if name in _AGAIN else (),
    )


def _chosen(driver: str, seed: int, scenario: str, started: str) -> Instrument:
    gives = (Wanted(driver),)
    memory = REGISTRY[driver].memory
    goes_on = any(known.stream and kind not in _SCALES for kind, known in memory.items())
    return Instrument(
        driver,
        driver,
        virtual=_virtual(driver, seed, scenario, started),
        allow=_allowed(driver),
        options=_OPTIONS.get(driver, {}),
        start_s=_STARTS_S.get(driver),
        gives=gives,
        again=gives if goes_on or driver == "ble-thermometer" else (),
    )


def _allowed(driver: str) -> tuple[str, ...]:
    return tuple(sorted(REGISTRY[driver].writes - _NOT_ALLOWED))


def _virtual(driver: str, seed: int, scenario: str, started: str) -> dict[str, Any]:
    scene = dict(_SCENES.get(driver, {}))
    if REGISTRY[driver].links == {LinkKind.FOLDER}:
        scene["started"] = started or NINE
    elif REGISTRY[driver].is_gatt:
        scene |= {"measure_at_s": [], "clock_ahead_s": -CLOCK_SLOW_S}
        if started:
            scene["started"] = started
    if driver == "ivy-450c":
        scene |= {"nibp": [[STRANGER_S, *STRANGER]], "nibp_pulse_rate": STRANGERS_PULSE}
    elif driver == "nonin":
        scene |= {"model": "3150", "data_format": 7}
    elif driver == "ble-blood-pressure":
        scene |= {"backlog": BACKLOG, "step_mmhg": QUICK_STEP_MMHG}
    elif driver == "ble-scale":
        scene["has_body_composition"] = False
    on_patient = {**scene, "patient_seed": seed, "scenario": scenario}
    return on_patient if _takes(driver, on_patient) else scene


def _takes(driver: str, scene: Mapping[str, Any]) -> bool:
    """Tell whether a virtual instrument can be put on the virtual patient."""
    try:
        REGISTRY[driver].simulator()(0, **scene)
    except msgspec.ValidationError:
        return False
    return True
