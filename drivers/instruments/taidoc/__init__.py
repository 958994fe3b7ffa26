"""TaiDoc and FORA cuffs, thermometers, oximeters and scales: `driver` asks, `meaning` reads."""

from drivers.instruments.taidoc.driver import TaiDoc
from drivers.instruments.taidoc.meaning import ClockReading, Record, Settings, meaning

__all__ = ["ClockReading", "Record", "Settings", "TaiDoc", "meaning"]
