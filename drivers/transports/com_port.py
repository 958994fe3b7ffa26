"""The words of RFC 2217 between a hub and a serial server: pure, bytes in, bytes and answers out.

to the server                                         from it
FF FB 2C          WILL COM-PORT-OPTION                FF FD 2C (DO) or FF FE 2C (DONT)
FF FA 2C 01 b b b b FF F0   SET-BAUDRATE, big endian  the same with 65, and the baud it has set
.. 02 n ..        SET-DATASIZE, bits                  66
.. 03 n ..        SET-PARITY 1 N, 2 O, 3 E, 4 M, 5 S  67
.. 04 n ..        SET-STOPSIZE 1, 2                   68
.. 05 n ..        SET-CONTROL 1 and 0E no flow        69
                  control, 08 DTR on, 0B RTS on
.. 0A m ..        SET-LINESTATE-MASK                  6A m: framing (08), parity (04), overrun (02)
.. 0C 01 ..       PURGE-DATA, what had been received  70

Data is 8-bit (BINARY, option 00) and FF in it is doubled both ways. What is received before the
server has confirmed the four line settings was heard on another line and is dropped. Options that
we did not ask for are refused, so a server cannot talk us into anything. An unfinished or unknown
subnegotiation is skipped; one longer than any that is known ends at the limit.

Sources: RFC 854, 855, 856 and 2217.
"""

from collections import Counter
from dataclasses import dataclass

from drivers.contract import SerialLine

IAC, DONT, DO, WONT, WILL, SB, SE = 0xFF, 0xFE, 0xFD, 0xFC, 0xFB, 0xFA, 0xF0
BINARY, SUPPRESS_GO_AHEAD, COM_PORT = 0x00, 0x03, 0x2C
SET_BAUDRATE, SET_DATASIZE, SET_PARITY, SET_STOPSIZE, SET_CONTROL = 1, 2, 3, 4, 5
SET_LINESTATE_MASK, PURGE = 10, 12
FROM_SERVER = 100
LINESTATE = FROM_SERVER + 6
NO_FLOW_CONTROL, NO_INBOUND_FLOW_CONTROL, DTR_ON, RTS_ON = 1, 14, 8, 11
ERRORS = {0x08: "framing", 0x04: "parity", 0x02: "overrun"}
PARITIES = {"N": 1, "O": 2, "E": 3, "M": 4, "S": 5}
MAX_SUBNEGOTIATION = 64  # signatures of servers are text; nothing else is longer than six bytes

_NAMES = {
    SET_BAUDRATE: "baud",
    SET_DATASIZE: "data bits",
    SET_PARITY: "parity",
    SET_STOPSIZE: "stop",
}


@dataclass(frozen=True, slots=True)
class Heard:
    """What bytes from the server meant: `data` of the instrument, `answer` to the server."""

    data: bytes
    answer: bytes


class ComPort:
    """One conversation with a server; `is_ready` once it has set the line as it was told."""

    def __init__(self, line: SerialLine) -> None:
        self._wanted = {
            SET_BAUDRATE: line.baud.to_bytes(4, "big"),
            SET_DATASIZE: bytes((line.bits,)),
            SET_PARITY: bytes((PARITIES[line.parity],)),
            SET_STOPSIZE: bytes((line.stop,)),
        }
        self._confirmed: set[int] = set()
        self._pending = b""
        self._ours: set[int] = set()  # options we were allowed to use, and said so
        self.refusal = ""
        self.errors: Counter[str] = Counter()

    @property
    def is_ready(self) -> bool:
        """Whether all four line settings are confirmed."""
        return self._confirmed == set(self._wanted)

    def begin(self) -> bytes:
        """Return what is said first."""
        return bytes(
            (
                *(IAC, WILL, BINARY, IAC, DO, BINARY),
                *(IAC, WILL, SUPPRESS_GO_AHEAD, IAC, DO, SUPPRESS_GO_AHEAD),
                *(IAC, WILL, COM_PORT),
            )
        )

    @staticmethod
    def sent(data: bytes) -> bytes:
        """Return data for the instrument as it travels."""
        return data.replace(b"\xff", b"\xff\xff")

    def hear(self, data: bytes) -> Heard:
        """Take what the server sent, in any chunking."""
        buffer, at = self._pending + data, 0
        out, answer = bytearray(), b""
        while (start := buffer.find(IAC, at)) >= 0:
            out += self._mine(buffer[at:start])
            at, said, more = self._command(buffer, start)
            if at < 0:
                self._pending = buffer[start:]
                return Heard(bytes(out), answer)
            out += self._mine(more)
            answer += said
        out += self._mine(buffer[at:])
        self._pending = b""
        return Heard(bytes(out), answer)

    def _mine(self, data: bytes) -> bytes:
        return data if self.is_ready else b""

    def _command(self, buffer: bytes, at: int) -> tuple[int, bytes, bytes]:
        """Return where what stands at `at` ends (-1: not here yet), the answer, and data."""
        if at + 1 >= len(buffer):
            return -1, b"", b""
        verb = buffer[at + 1]
        if verb == IAC:
            return at + 2, b"", b"\xff"
        if verb in (DO, DONT, WILL, WONT):
            if at + 2 >= len(buffer):
                return -1, b"", b""
            return at + 3, self._option(verb, buffer[at + 2]), b""
        return (self._subnegotiated(buffer, at) if verb == SB else at + 2), b"", b""

    def _subnegotiated(self, buffer: bytes, at: int) -> int:
        """Take the subnegotiation at `at` and return where it ends; -1: not here yet."""
        end = buffer.find(bytes((IAC, SE)), at + 2)
        if end < 0:
            return at + MAX_SUBNEGOTIATION if len(buffer) - at > MAX_SUBNEGOTIATION else -1
        self._told(buffer[at + 2 : end].replace(b"\xff\xff", b"\xff"))
        return end + 2

    def _option(self, verb: int, option: int) -> bytes:
        if option == COM_PORT and verb == DONT:
            self.refusal = (
                "it does not speak RFC 2217; use socket:// and set the line on the server"
            )
        if option == COM_PORT and verb == DO and option not in self._ours:
            self._ours.add(option)
            return self._settings()
        if option in (BINARY, SUPPRESS_GO_AHEAD, COM_PORT):
            return b""  # the answer to what `begin` said
        if verb == DO:
            return bytes((IAC, WONT, option))
        return bytes((IAC, DONT, option)) if verb == WILL else b""

    def _settings(self) -> bytes:
        mask = sum(ERRORS)
        said = [(code, value) for code, value in self._wanted.items()]
        controls = (NO_FLOW_CONTROL, NO_INBOUND_FLOW_CONTROL, DTR_ON, RTS_ON)
        said += [(SET_CONTROL, bytes((control,))) for control in controls]
        said += [(SET_LINESTATE_MASK, bytes((mask,))), (PURGE, b"\x01")]
        return b"".join(_subnegotiation(code, value) for code, value in said)

    def _told(self, words: bytes) -> None:
        if len(words) < 3 or words[0] != COM_PORT:
            return
        code, value = words[1], words[2:]
        if code == LINESTATE:
            self.errors.update(name for bit, name in ERRORS.items() if value[0] & bit)
        wanted = self._wanted.get(code - FROM_SERVER)
        if wanted is None:
            return
        if value == wanted:
            self._confirmed.add(code - FROM_SERVER)
        else:
            asked, got = (int.from_bytes(each, "big") for each in (wanted, value))
            name = _NAMES[code - FROM_SERVER]
            self.refusal = f"it was asked for {name} {asked} and set {got}"


def _subnegotiation(code: int, value: bytes) -> bytes:
    head, tail = bytes((IAC, SB, COM_PORT, code)), bytes((IAC, SE))
    return head + value.replace(b"\xff", b"\xff\xff") + tail
