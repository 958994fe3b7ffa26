"""Thermometers with the Health Thermometer Service (0x1809).

Celsius and Fahrenheit are passed on as sent. Where it was taken comes with the measurement or, if
not, from what the thermometer says of itself. An intermediate temperature is still rising: it is
told once, as a state. Of one that corrects itself only the last temperature of a connection counts.
"""

from drivers.instruments.gatt.meaning import Command, Meaning, Said, evidence_of, reading
from drivers.model import Kind, Metric, Unit
from drivers.protocols.gatt import characteristics
from drivers.protocols.gatt.characteristics import Frame
from drivers.protocols.gatt.temperature import Site, Temperature, TemperatureType, site_of


class Probe:
    """Remembers where the thermometer measures, and whether it was said that it does."""

    driver = "ble-thermometer"
    stored = ((characteristics.TEMPERATURE,),)
    streamed = ((characteristics.INTERMEDIATE_TEMPERATURE,),)
    facts = (characteristics.TEMPERATURE_TYPE,)
    commands: tuple[Command, ...] = ()
    has_records = False

    def __init__(self, *, corrects_itself: bool = False) -> None:
        self._site: Site | None = None
        self._measures = False
        self._corrects_itself = corrects_itself
        self._last: Meaning | None = None

    def learn(self, frame: Frame) -> None:
        """Take where it measures."""
        if isinstance(frame, TemperatureType):
            self._site = frame.site

    def read(self, channel: str, frame: Frame) -> Said:
        """Return the temperature, or that one is being measured."""
        if not isinstance(frame, Temperature):
            return None
        if channel == characteristics.INTERMEDIATE_TEMPERATURE:
            was, self._measures = self._measures, True
            return None if was else "the thermometer is measuring"
        self._measures = False
        unit = Unit.FAHRENHEIT if frame.is_fahrenheit else Unit.CELSIUS
        site = self._site if frame.type is None else site_of(frame.type)
        said = Meaning(
            Kind.TEMPERATURE,
            (reading(Metric.BODY_TEMPERATURE, frame.temperature, unit),),
            taken=frame.taken.local if frame.taken else None,
            evidence=evidence_of(("site", site.name.lower() if site else None)),
        )
        if not self._corrects_itself:
            return said
        self._last = said
        return None

    def end(self) -> Meaning | None:
        """Return the last temperature of one that corrects itself; else every payload is whole."""
        return self._last
