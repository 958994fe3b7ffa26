"""How the demonstration reaches its Bluetooth LE instruments: the one place that knows.

Here they are played inside the hub, each after a script in the room's folder.
"""

from pathlib import Path

from msgspec.structs import replace

from drivers.virtual.gatt.played import Script
from edge.demo.instruments import Instrument


class PlayedAir:
    """Bluetooth LE instruments that are switched on, and started, by what their scripts say."""

    def __init__(self, folder: Path, begin_ns: int, seed: int) -> None:
        self._folder = folder
        self._begin_ns = begin_ns
        self._seed = seed
        self._scripts: dict[str, Script] = {}

    def link(self, instrument: Instrument) -> str:
        """Return the address in the hub's settings."""
        return f"memory:{self._path(instrument.name)}"

    def switch_on(self, instrument: Instrument) -> None:
        """Bring an instrument within reach."""
        self._play(instrument.name, Script(self._begin_ns, self._seed, dict(instrument.virtual)))

    def start(self, name: str, at_s: float, patient_seed: int | None) -> None:
        """Have somebody start a measurement at a second of the room's time."""
        script = self._scripts[name]
        self._play(name, replace(script, starts=(*script.starts, (at_s, patient_seed))))

    def _play(self, name: str, script: Script) -> None:
        self._scripts[name] = script
        script.write(self._path(name))

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"
