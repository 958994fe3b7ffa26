"""How the demonstration reaches its Bluetooth LE instruments: the one place that knows.

On the virtual radio the hub uses its own Bluetooth, bleak and a message bus, as it would beside
real instruments. Where that radio is not installed the instruments are played inside the hub.
"""

import shutil
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from msgspec.structs import replace

from drivers.contract import Clock, Peer
from drivers.transports.memory_gatt import Sent
from drivers.virtual.gatt.peripheral import VirtualPeripheral
from drivers.virtual.gatt.played import Script
from drivers.virtual.gatt.table import Offered
from edge.clock import NS
from edge.demo.instruments import Instrument

if TYPE_CHECKING:
    from drivers.virtual.bluetooth.ward import Ward

ADDRESS = "C0:FF:EE:00:01:{:02X}"
RADIO = "by Bluetooth LE, on a virtual radio"
PLAYED = "by Bluetooth LE, played in the hub"


class Air(Protocol):
    """What is between the hub and its Bluetooth LE instruments; `words` say what it is."""

    words: str

    @property
    def environment(self) -> Mapping[str, str]:
        """What the hub needs to know of it."""
        ...

    def link(self, instrument: Instrument) -> str:
        """Return the address in the hub's settings."""
        ...

    async def switch_on(self, instrument: Instrument) -> None:
        """Bring an instrument within reach."""
        ...

    def start(self, name: str, at_s: float, patient_seed: int | None) -> None:
        """Have somebody start a measurement at a second of the room's time."""
        ...

    async def __aenter__(self) -> Self:
        """Set it up."""
        ...

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Take it down."""
        ...


def air_for(
    folder: Path, clock: Clock, begin_ns: int, seed: int, room: Sequence[Instrument]
) -> Air:
    """Return the virtual radio where it is installed and needed, else instruments that are played.

    `begin_ns` is the room's second 0 on the monotonic clock.
    """
    has_radio = find_spec("bumble") is not None and shutil.which("dbus-daemon") is not None
    if has_radio and any(each.is_gatt for each in room):
        return RadioAir(folder, clock, begin_ns, seed, room)
    return PlayedAir(folder, begin_ns, seed)


class PlayedAir:
    """Instruments inside the hub that are switched on, and started, by what their scripts say."""

    words = PLAYED

    def __init__(self, folder: Path, begin_ns: int, seed: int) -> None:
        self._folder = folder
        self._begin_ns = begin_ns
        self._seed = seed
        self._scripts: dict[str, Script] = {}

    @property
    def environment(self) -> Mapping[str, str]:
        """Nothing."""
        return {}

    def link(self, instrument: Instrument) -> str:
        """Return the path of the script."""
        return f"memory:{self._path(instrument.name)}"

    async def switch_on(self, instrument: Instrument) -> None:
        """Put a script where the hub looks for it."""
        self._play(instrument.name, Script(self._begin_ns, self._seed, dict(instrument.virtual)))

    def start(self, name: str, at_s: float, patient_seed: int | None) -> None:
        """Add a start to the script."""
        script = self._scripts[name]
        self._play(name, replace(script, starts=(*script.starts, (at_s, patient_seed))))

    async def __aenter__(self) -> Self:
        """Do nothing: the folder is there."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Do nothing."""

    def _play(self, name: str, script: Script) -> None:
        self._scripts[name] = script
        script.write(self._path(name))

    def _path(self, name: str) -> Path:
        return self._folder / f"{name}.json"


class RadioAir:
    """Instruments on a virtual radio, behind an `org.bluez` on a message bus of their own."""

    words = RADIO

    def __init__(
        self, folder: Path, clock: Clock, begin_ns: int, seed: int, room: Sequence[Instrument]
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._begin_ns = begin_ns
        self._seed = seed
        gatt = [each.name for each in room if each.is_gatt]
        self._addresses = {name: ADDRESS.format(number) for number, name in enumerate(gatt, 1)}
        self._instruments: dict[str, Since] = {}
        self._ward: Ward | None = None
        self._stack = AsyncExitStack()

    @property
    def environment(self) -> Mapping[str, str]:
        """Where the bus is."""
        from drivers.virtual.bluetooth.bus import ADDRESS_VARIABLE  # noqa: PLC0415 - the extra

        return {} if self._ward is None else {ADDRESS_VARIABLE: self._ward.address}

    def link(self, instrument: Instrument) -> str:
        """Return the instrument's address on the radio."""
        return f"ble:{self._addresses[instrument.name]}"

    async def switch_on(self, instrument: Instrument) -> None:
        """Put an instrument on the air."""
        if self._ward is None:
            return
        name = instrument.name
        virtual = instrument.entry.simulator()(self._seed, **instrument.virtual)
        since_s = (self._clock.now().mono_ns - self._begin_ns) / NS
        self._instruments[name] = Since(virtual, self._addresses[name], since_s)
        await self._ward.add(self._instruments[name])

    def start(self, name: str, at_s: float, patient_seed: int | None) -> None:
        """Start a measurement."""
        self._instruments[name].start(at_s, patient_seed)

    async def __aenter__(self) -> Self:
        """Start the bus and what stands for bluetoothd."""
        from drivers.virtual.bluetooth.ward import Ward  # noqa: PLC0415 - the extra

        self._ward = await self._stack.enter_async_context(Ward(self._folder, self._clock))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End them."""
        await self._stack.aclose()


class Since:
    """An instrument under an address of its own, whose second 0 was before it came on the air."""

    def __init__(self, virtual: VirtualPeripheral, address: str, since_s: float) -> None:
        self._virtual = virtual
        self._since_s = since_s
        self.peer = Peer(address, name=virtual.peer.name)

    @property
    def table(self) -> tuple[Offered, ...]:
        """What it offers."""
        return self._virtual.table

    @property
    def has_hung_up(self) -> bool:
        """Whether it dropped the connection."""
        return self._virtual.has_hung_up

    def start(self, at_s: float, patient_seed: int | None) -> None:
        """Start a measurement at a second of its own time."""
        self._virtual.start(at_s, patient_seed)

    def calls(self, elapsed_s: float) -> bool:
        """Whether it advertises."""
        return self._virtual.calls(elapsed_s + self._since_s)

    def connect(self) -> None:
        """Take a new connection."""
        self._virtual.connect()

    def due(self, elapsed_s: float) -> Sequence[Sent]:
        """Return what it sends now."""
        return self._virtual.due(elapsed_s + self._since_s)

    def confirm(self, sent: Sent) -> None:
        """Take a confirmation."""
        self._virtual.confirm(sent)

    def read(self, channel: str) -> bytes:
        """Return what a characteristic holds."""
        return self._virtual.read(channel)

    def write(self, channel: str, data: bytes) -> None:
        """Take what is written."""
        self._virtual.write(channel, data)

    def subscribe(self, channel: str) -> None:
        """Begin to send a characteristic."""
        self._virtual.subscribe(channel)
