"""The bench of benchmarks/bluetooth.py in a process of its own: a 12-lead stream and an oximeter.

`python -m benchmarks.bluetooth_ward FOLDER` writes the address of the bus, and ends with its input.
"""

import asyncio
import sys
from pathlib import Path

from drivers.contract import Peer
from drivers.errors import RequestRefused
from drivers.transports.memory_gatt import Sent
from drivers.virtual.bluetooth.ward import Ward
from drivers.virtual.gatt.oximeter import virtual_oximeter
from drivers.virtual.gatt.table import Access, Offered
from edge.clock import SystemClock

SERVICE = "87301801-d487-4fa7-960c-27955f3e4c2c"
CHANNEL = "87301805-d487-4fa7-960c-27955f3e4c2c"
ECG, OXIMETER = "C0:FF:EE:00:00:01", "C0:FF:EE:00:00:02"
PAYLOAD_BYTES = 240  # ten samples of eight channels of 24 bits: what 247 bytes of MTU take
PER_S = 50  # so 500 samples a second, 12 kB/s
NUMBER_BYTES = 4


class Recorder:
    """Notifies as a 12-lead recorder would; each payload begins with its number."""

    def __init__(self) -> None:
        self.peer = Peer(ECG, name="Virtual 12-lead recorder")
        self.has_hung_up = False
        self.table = (Offered(CHANNEL, SERVICE, Access.NOTIFY),)
        self._begin_s: float | None = None
        self._sent = 0
        self._is_on = False

    def calls(self, _elapsed_s: float) -> bool:
        """Be there."""
        return True

    def connect(self) -> None:
        """Begin anew."""
        self._begin_s, self._sent, self._is_on = None, 0, False

    def due(self, elapsed_s: float) -> list[Sent]:
        """Return the payloads that are full by now."""
        if not self._is_on:
            return []
        if self._begin_s is None:
            self._begin_s = elapsed_s
        full = int((elapsed_s - self._begin_s) * PER_S)
        first, self._sent = self._sent, max(self._sent, full)
        return [Sent(CHANNEL, payload(number)) for number in range(first, self._sent)]

    def confirm(self, sent: Sent) -> None:
        """Not ask."""

    def read(self, channel: str) -> bytes:
        """Have nothing to read."""
        raise RequestRefused(channel, 0x0A)

    def write(self, channel: str, _data: bytes) -> None:
        """Take nothing."""
        raise RequestRefused(channel, 0x03)

    def subscribe(self, _channel: str) -> None:
        """Begin."""
        self._is_on = True


def payload(number: int) -> bytes:
    """Return the payload of a number."""
    return number.to_bytes(NUMBER_BYTES, "little") + bytes(
        (number * 7 + at) & 0xFF for at in range(PAYLOAD_BYTES - NUMBER_BYTES)
    )


async def main(folder: Path) -> None:
    """Have both on the air until the input ends."""
    async with Ward(folder, SystemClock(assume_trusted=True)) as ward:
        await ward.add(Recorder())
        await ward.add(virtual_oximeter(1, address=OXIMETER, measure_at_s=()))
        print(ward.address, flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
