"""`org.bluez`: the model of bluetoothd, on a bus and on the air."""

from drivers.virtual.bluetooth.adapter import Adapter
from drivers.virtual.bluetooth.agents import Agents
from drivers.virtual.bluetooth.faults import Fault, Faults
from drivers.virtual.bluetooth.radio import Air, new_radio
from drivers.virtual.bluetooth.tree import Tree

SERVICE = "org.bluez"
ROOT = "/org/bluez"
ADAPTER_PATH = f"{ROOT}/hci0"
ADDRESS = "F0:F0:F0:F0:F0:F0"


class Bluez:
    """The daemon with one adapter, from `start` to `stop`; bonds outlast it."""

    def __init__(self, air: Air) -> None:
        self.faults = Faults()
        self._tree = Tree(self._client_left)
        self._agents = Agents(self._tree)
        self._radio = new_radio(air, "adapter", ADDRESS)
        self._is_on = False
        self.adapter = Adapter(ADAPTER_PATH, self._radio, self._tree, self._agents, self.faults)

    async def start(self, bus: str) -> None:
        """Serve on a bus."""
        if not self._is_on:
            await self._radio.power_on()
            self._is_on = True
            self._tree.add(ROOT, self._agents.node())
            self.adapter.show()
        await self._tree.open(bus, SERVICE)

    async def stop(self) -> None:
        """End or crash: connections are dropped, and who was not bonded is forgotten."""
        await self._tree.close()
        await self.adapter.power(on=False)
        await self.adapter.lose_strangers()
        self._agents.forget_all()
        self.faults.end(Fault.DEAF_UNTIL_RESTART)
        await self.adapter.power(on=True)

    async def unplug(self) -> None:
        """Have the adapter pulled out."""
        await self.adapter.power(on=False)
        await self.adapter.lose_strangers()
        self.adapter.hide()

    async def plug_in(self) -> None:
        """Have the adapter there again, with what it is bonded to."""
        await self.adapter.power(on=True)
        self.adapter.show()

    def _client_left(self, sender: str) -> None:
        self._agents.forget(sender)
        self.adapter.forget(sender)
