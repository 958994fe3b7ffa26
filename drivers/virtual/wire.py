"""What a serial line does to the words of an instrument: it takes time for each byte."""

from drivers.contract import SerialLine


class Wire:
    """Bytes wait their turn; each takes its bit times. Pure: the caller says what time it is."""

    def __init__(self, line: SerialLine) -> None:
        self._byte_s = line.bits_per_byte / line.baud
        self._waiting = bytearray()
        self._free_s = 0.0

    def put(self, data: bytes, at_s: float) -> None:
        """Let the instrument say something at a time that does not go back."""
        if not self._waiting:
            self._free_s = max(self._free_s, at_s)
        self._waiting += data

    def take(self, at_s: float) -> bytes:
        """Return the bytes whose last bit has arrived by now."""
        whole = int((at_s - self._free_s) / self._byte_s + 1e-9)
        count = max(0, min(len(self._waiting), whole))
        arrived = bytes(self._waiting[:count])
        del self._waiting[:count]
        self._free_s += count * self._byte_s
        return arrived
