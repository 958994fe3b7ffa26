"""What instruments do to a hub, one thing at a time, by name.

The points are those that a qualification of a collector would try (the Bluetooth SIG's test suites
of its health services have the like), and the faults that users of real instruments report.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from types import MappingProxyType
from typing import Any

from drivers.protocols.gatt import characteristics as known
from drivers.protocols.gatt.blood_pressure import BloodPressure, CuffFeature, CuffStatus
from drivers.protocols.gatt.characteristics import encode
from drivers.protocols.gatt.date_time import DateTime
from drivers.protocols.gatt.medical_float import Number, Special
from drivers.protocols.gatt.oximetry import (
    Continuous,
    DeviceStatus,
    MeasurementStatus,
    Saturation,
)
from drivers.protocols.gatt.temperature import Site, Temperature
from drivers.virtual.bluetooth.aftermath import Aftermath
from drivers.virtual.bluetooth.manners import PLAIN, Drop, Manners, Pairing
from drivers.virtual.bluetooth.scripted import Said, Scripted
from drivers.virtual.bluetooth.server import Instrument
from drivers.virtual.gatt.cuff import virtual_cuff
from drivers.virtual.gatt.oximeter import virtual_oximeter

CUFF, THERMOMETER, OXIMETER = "ble-blood-pressure", "ble-thermometer", "ble-oximeter"
YEAR_S = 365 * 86400.0
HOUR_S = 3600
ALL_FEATURES = 0x3F
TAKEN = DateTime(2026, 11, 23, 9, 15, 30)
SPECIALS = tuple(Special)
PRESSURES = ("systolic", "diastolic", "mean", "pulse_rate")
WHOLE = BloodPressure(
    Number(128), Number(83), Number(98), taken=TAKEN, pulse_rate=Number(72), user=1,
    status=CuffStatus(0),
)  # fmt: skip
RESERVED_BITS = (0x20, 0x40, 0x80)
COUNT, REPORT = b"\x04\x01", b"\x01\x01"


@dataclass(frozen=True, slots=True)
class Scenario:
    """One instrument, its manners, and the driver that is to cope with it.

    `beside` is another one on the air that nobody enrolled; `then` is what becomes of the bond.
    """

    driver: str
    plays: Callable[[], Instrument]
    manners: Manners = PLAIN
    beside: Callable[[], Instrument] | None = None
    then: Aftermath | None = None


def _cuff(*payloads: bytes) -> Callable[[], Instrument]:
    return lambda: Scripted([(known.BLOOD_PRESSURE, each) for each in payloads])


def _virtual(manners: Manners = PLAIN, **scene: object) -> Scenario:
    options = {"measure_at_s": (0,), "hangs_up": True, **scene}
    return Scenario(CUFF, lambda: virtual_cuff(1, **options), manners)


def _bonded(then: Aftermath, *, holds_one_bond: bool = False) -> Scenario:
    """Return a cuff that measures every second for an hour, so that there is a next connection."""
    scene = {
        "measure_at_s": tuple(range(HOUR_S)),
        "hangs_up": True,
        "features": ALL_FEATURES ^ CuffFeature.MULTIPLE_BONDS if holds_one_bond else ALL_FEATURES,
    }
    manners = Manners(pairing=Pairing.JUST_WORKS, holds_one_bond=holds_one_bond)
    return Scenario(CUFF, lambda: virtual_cuff(1, **scene), manners, then=then)


def _pressures() -> Iterator[bytes]:
    """Yield one payload for each combination of the five flags."""
    for number, (kpa, taken, pulse, user, status) in enumerate(product((False, True), repeat=5)):
        systolic = Number(160 + number, -1) if kpa else Number(110 + number)
        yield encode(
            BloodPressure(
                systolic,
                Number(93, -1) if kpa else Number(70),
                Number(120, -1) if kpa else Number(90),
                is_kpa=kpa,
                taken=TAKEN if taken else None,
                pulse_rate=Number(66) if pulse else None,
                user=2 if user else None,
                status=CuffStatus(0) if status else None,
            )
        )


def _saturations() -> Iterator[Said]:
    for number, (fast, slow, status, device, pi) in enumerate(product((False, True), repeat=5)):
        values = Saturation(Number(98), Number(60 + number))
        frame = Continuous(
            values,
            fast=values if fast else None,
            slow=values if slow else None,
            status=MeasurementStatus.VALIDATED if status else None,
            device=DeviceStatus(0) if device else None,
            pulse_amplitude=Number(42, -1) if pi else None,
        )
        yield known.CONTINUOUS, encode(frame)


def _temperatures() -> Iterator[Said]:
    for number, (fahrenheit, taken, kind) in enumerate(product((False, True), repeat=3)):
        value = Number(980 + number, -1) if fahrenheit else Number(365 + number, -1)
        frame = Temperature(
            value,
            is_fahrenheit=fahrenheit,
            taken=TAKEN if taken else None,
            type=Site.EAR if kind else None,
        )
        yield known.TEMPERATURE, encode(frame)


def _specials() -> Iterator[bytes]:
    for number, (field, special) in enumerate(product(PRESSURES, SPECIALS)):
        usual = BloodPressure(Number(110 + number), Number(70), Number(90), pulse_rate=Number(66))
        change: dict[str, Any] = {field: special}
        yield encode(replace(usual, **change))


def _dated(*dates: tuple[int, int, int, int]) -> Callable[[], Instrument]:
    def payload(number: int, date: tuple[int, int, int, int]) -> bytes:
        taken = DateTime(*date, 15, 30)
        values = (Number(120 + number), Number(80), Number(93))
        return encode(BloodPressure(*values, taken=taken))

    return _cuff(*(payload(number, date) for number, date in enumerate(dates)))


def _with_users(*users: int | None) -> Callable[[], Instrument]:
    values = (Number(80), Number(93))
    return _cuff(
        *(
            encode(BloodPressure(Number(120 + number), *values, user=user))
            for number, user in enumerate(users)
        )
    )


def _with_reserved_bits() -> Iterator[bytes]:
    whole = encode(WHOLE)
    for bit in (*RESERVED_BITS, sum(RESERVED_BITS)):
        yield bytes([whole[0] | bit]) + whole[1:]


def _lossy_stream() -> Iterator[Said]:
    """Yield a stream of a finger that is lost and found, with changes of the device's status."""
    off = DeviceStatus.SENSOR_UNCONNECTED_TO_USER
    for number in range(12):
        is_off = 4 <= number < 8
        device = off if is_off else DeviceStatus.LOW_PERFUSION if number == 10 else DeviceStatus(0)
        values = (
            Saturation(Special.NAN, Special.NAN)
            if is_off
            else Saturation(Number(97), Number(60 + number))
        )
        frame = Continuous(values, status=MeasurementStatus.VALIDATED, device=device)
        yield known.CONTINUOUS, encode(frame)


def _records(counted: int, reported: int, outcome: int) -> Callable[[], Instrument]:
    """Return an oximeter that counts so many records and then reports so many."""
    records = [
        (known.SPOT_CHECK, bytes.fromhex(f"01 6100 4600 ea07 0b 17 09 {each:02x} 00"))
        for each in range(reported)
    ]
    done = (known.RECORD_ACCESS, bytes([6, 0, 1, outcome]))
    answers = {
        (known.RECORD_ACCESS, COUNT): [(known.RECORD_ACCESS, bytes([5, 0, counted, 0]))],
        (known.RECORD_ACCESS, REPORT): [*records, done],
    }
    return lambda: Scripted([], answers=answers, more=(known.SPOT_CHECK,))


def _refusing_records(code: int, *, at: bytes) -> Callable[[], Instrument]:
    """Return an oximeter that streams, and refuses one request for records with an ATT error."""
    return lambda: Scripted(
        [_IN_STREAM],
        answers={(known.RECORD_ACCESS, COUNT): [(known.RECORD_ACCESS, bytes([5, 0, 3, 0]))]},
        refuses={(known.RECORD_ACCESS, at): code},
        more=(known.SPOT_CHECK,),
    )


def _without_operators() -> Instrument:
    """Return an oximeter that streams, and whose record access knows no operator."""
    answers = {
        (known.RECORD_ACCESS, request): [(known.RECORD_ACCESS, bytes([6, 0, request[0], 4]))]
        for request in (COUNT, REPORT)
    }
    return Scripted([_IN_STREAM], answers=answers, more=(known.SPOT_CHECK,))


_FINE = encode(WHOLE)
_IN_STREAM = (known.CONTINUOUS, encode(Continuous(Saturation(Number(97), Number(60)))))

SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {
        "every-cuff-flag": Scenario(CUFF, _cuff(*_pressures())),
        "every-oximeter-flag": Scenario(OXIMETER, lambda: Scripted([*_saturations()])),
        "every-thermometer-flag": Scenario(THERMOMETER, lambda: Scripted([*_temperatures()])),
        "truncated": Scenario(CUFF, _cuff(*(_FINE[:n] for n in range(1, len(_FINE))), _FINE)),
        "reserved-bits": Scenario(CUFF, _cuff(*_with_reserved_bits())),
        "special-numbers": Scenario(CUFF, _cuff(*_specials())),
        "unknown-date": Scenario(CUFF, _dated((0, 11, 23, 9), (2026, 0, 23, 9), (2026, 11, 0, 9))),
        "impossible-date": Scenario(CUFF, _dated((2026, 2, 30, 9), (2026, 11, 23, 24))),
        "unknown-user": Scenario(CUFF, _with_users(255, None, 1)),
        "several-stored": _virtual(backlog=4, measure_at_s=()),
        "not-confirmed": _virtual(Manners(drops=Drop.BEFORE_CONFIRMATION)),
        "hangs-up-before-it-answers": _virtual(Manners(answers_late=True)),
        "sends-before-it-answers": Scenario(
            CUFF, lambda: virtual_cuff(1, measure_at_s=(0,)), Manners(answers_late=True)
        ),
        "bonds": Scenario(
            OXIMETER, lambda: virtual_oximeter(1), Manners(pairing=Pairing.JUST_WORKS)
        ),
        "battery-is-changed": _bonded(Aftermath.BATTERY_CHANGE),
        "host-forgets-the-bond": _bonded(Aftermath.HOST_FORGETS),
        "phone-takes-the-only-bond": _bonded(Aftermath.PHONE_PAIRS, holds_one_bond=True),
        "same-model-next-door": Scenario(
            CUFF,
            lambda: virtual_cuff(1, measure_at_s=(1,), backlog=1, hangs_up=True),
            beside=lambda: virtual_cuff(2, measure_at_s=(0,), hangs_up=True),
        ),
        "asks-for-security": _virtual(Manners(pairing=Pairing.JUST_WORKS, asks_for_security=True)),
        "shows-a-passkey": _virtual(Manners(pairing=Pairing.SHOWS_PASSKEY, passkey=204060)),
        "compares-a-passkey": _virtual(Manners(pairing=Pairing.COMPARES_PASSKEY)),
        "private-address": _virtual(
            Manners(pairing=Pairing.JUST_WORKS, has_private_address=True), backlog=1
        ),
        "drops-during-discovery": _virtual(Manners(drops=Drop.DURING_DISCOVERY)),
        "never-answers": _virtual(Manners(answers_connect=False)),
        "small-packets": _virtual(Manners(mtu=23)),
        "names-itself-later": _virtual(Manners(names_itself_later=True)),
        "clock-hours-wrong": _virtual(clock_ahead_s=5 * 3600.0, backlog=1),
        "clock-years-wrong": _virtual(clock_ahead_s=-6 * YEAR_S, backlog=1),
        "no-records": Scenario(OXIMETER, _records(0, 0, 6)),
        "records-are-missing": Scenario(OXIMETER, _records(3, 2, 1)),
        "report-is-aborted": Scenario(OXIMETER, _records(3, 2, 8)),
        "records-not-configured": Scenario(OXIMETER, _refusing_records(0xFD, at=COUNT)),
        "records-in-progress": Scenario(OXIMETER, _refusing_records(0xFE, at=REPORT)),
        "operators-refused": Scenario(OXIMETER, _without_operators),
        "finger-lost-and-found": Scenario(OXIMETER, lambda: Scripted([*_lossy_stream()])),
        "empty-payload": Scenario(CUFF, _cuff(b"", _FINE)),
        "records-and-a-stream": Scenario(
            OXIMETER, lambda: virtual_oximeter(1, backlog=2, measure_at_s=())
        ),
    }
)
