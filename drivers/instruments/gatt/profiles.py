"""Every Bluetooth LE instrument with characteristics of its own: a profile, and its driver."""

from drivers.contract import Host
from drivers.instruments.gatt.blood_pressure import Cuff
from drivers.instruments.gatt.driver import Instrument
from drivers.instruments.gatt.heart_rate import Belt
from drivers.instruments.gatt.jumper import JumperFinger
from drivers.instruments.gatt.nonin import NoninFinger
from drivers.instruments.gatt.one_lead import MovesenseSensor, PolarBelt
from drivers.instruments.gatt.oximeter import Finger
from drivers.instruments.gatt.scale import Platform
from drivers.instruments.gatt.settings import Settings
from drivers.instruments.gatt.thermometer import Probe


def new_cuff(host: Host, settings: Settings) -> Instrument:
    """Return a driver of blood pressure monitors."""
    return Instrument(host, settings, Cuff())


def new_thermometer(host: Host, settings: Settings) -> Instrument:
    """Return a driver of thermometers."""
    return Instrument(host, settings, Probe(corrects_itself=settings.quirks.corrects_itself))


def new_oximeter(host: Host, settings: Settings) -> Instrument:
    """Return a driver of pulse oximeters."""
    return Instrument(host, settings, Finger(respires=settings.quirks.respires))


def new_scale(host: Host, settings: Settings) -> Instrument:
    """Return a driver of scales."""
    return Instrument(host, settings, Platform())


def new_belt(host: Host, settings: Settings) -> Instrument:
    """Return a driver of heart rate sensors."""
    return Instrument(host, settings, Belt())


def new_nonin(host: Host, settings: Settings) -> Instrument:
    """Return a driver of Nonin 3230 and 3150."""
    return Instrument(host, settings, NoninFinger())


def new_jumper(host: Host, settings: Settings) -> Instrument:
    """Return a driver of Jumper JPD-500F."""
    return Instrument(host, settings, JumperFinger())


def new_polar(host: Host, settings: Settings) -> Instrument:
    """Return a driver of Polar H10."""
    return Instrument(host, settings, PolarBelt())


def new_movesense(host: Host, settings: Settings) -> Instrument:
    """Return a driver of Movesense sensors."""
    return Instrument(host, settings, MovesenseSensor())
