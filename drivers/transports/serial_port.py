"""A local serial port, or anything that looks like one: a USB adapter, a Bluetooth tty, a pty.

The port is ours alone while it is open. Software flow control is off: XON and XOFF are values like
any other in binary protocols. DTR and RTS are on, as instruments that draw their power or their
"somebody listens" from them expect.
"""

import asyncio
import errno
import fcntl
import os
import struct
import termios
from collections import deque
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import serial

from drivers.contract import SerialLine, Write
from drivers.errors import LinkError, LinkLost, LinkNotFound, LinkRefused, WriteNotPermitted
from drivers.model import Chunk, Instant
from drivers.transports.ports import holder, permission_remedy

READ_BYTES = 4096
MAX_UNREAD_BYTES = 65_536  # more than a minute at 9600 baud; then the kernel's own buffer fills
TIOCGICOUNT = 0x545D  # of include/uapi/asm-generic/ioctls.h
COUNTED = struct.Struct("=11i36x")  # struct serial_icounter_struct of linux/serial.h
HELD = {errno.EBUSY, errno.EWOULDBLOCK}  # by TIOCEXCL, by a lock


class SerialPort:
    """A ByteLink on an open port; `now` stamps each chunk as it is read."""

    def __init__(
        self,
        path: str,
        line: SerialLine,
        now: Callable[[], Instant],
        granted: frozenset[Write] = frozenset(),
    ) -> None:
        """Open the port within a running event loop, or raise LinkNotFound or LinkRefused."""
        self._path = path
        self._now = now
        self._granted = granted
        self._loop = asyncio.get_running_loop()
        self._chunks: deque[Chunk] = deque()
        self._unread = 0
        self._news = asyncio.Event()
        self._writing = asyncio.Lock()
        self._room_or_loss = asyncio.Event()
        self._lost: LinkLost | None = None
        self._port = _opened(path, line)
        self._fd: int = self._port.fileno()
        self._reading = False
        self._counted = _port_errors(self._fd)
        self._resume()

    def close(self) -> None:
        """Give the port back; waiting readers and writers see the link lost. May be repeated."""
        self._end(f"{self._path}: closed")

    def errors(self) -> dict[str, int]:
        """Return what the port itself has counted since it was opened; a pty counts nothing."""
        if self._lost is not None:
            return {}
        now = _port_errors(self._fd)
        return {name: count - self._counted.get(name, 0) for name, count in now.items()}

    def __aiter__(self) -> AsyncIterator[Chunk]:
        """Iterate over what arrives."""
        return self

    async def __anext__(self) -> Chunk:
        """Return the next chunk; what arrived before the port went is still delivered."""
        while not self._chunks:
            if self._lost is not None:
                raise self._lost
            self._news.clear()
            await self._news.wait()
        chunk = self._chunks.popleft()
        self._unread -= len(chunk.data)
        if self._unread < MAX_UNREAD_BYTES:
            self._resume()
        return chunk

    async def write(self, purpose: Write, data: bytes) -> None:
        """Hand all of `data` to the port."""
        if purpose not in self._granted:
            raise WriteNotPermitted(f"{self._path}: {purpose} is not granted")
        async with self._writing:
            left = memoryview(data)
            while left:
                if self._lost is not None:
                    raise self._lost
                try:
                    left = left[os.write(self._fd, left) :]
                except BlockingIOError:
                    await self._room()
                except OSError as error:
                    self._end(f"{self._path}: {error.strerror}")

    def _resume(self) -> None:
        if not self._reading and self._lost is None:
            self._loop.add_reader(self._fd, self._read)
            self._reading = True

    def _pause(self) -> None:
        if self._reading:
            self._loop.remove_reader(self._fd)
            self._reading = False

    def _read(self) -> None:
        try:
            data = os.read(self._fd, READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._end(f"{self._path}: {error.strerror}")
            return
        if not data:
            self._end(f"{self._path}: the port has gone")
            return
        self._chunks.append(Chunk(data, self._now()))
        self._unread += len(data)
        if self._unread >= MAX_UNREAD_BYTES:
            self._pause()
        self._news.set()

    async def _room(self) -> None:
        """Wait until the port takes bytes again or is gone."""
        self._room_or_loss.clear()
        self._loop.add_writer(self._fd, self._room_or_loss.set)
        try:
            await self._room_or_loss.wait()
        finally:
            if self._lost is None:
                self._loop.remove_writer(self._fd)

    def _end(self, why: str) -> None:
        if self._lost is None:
            self._lost = LinkLost(why)
            self._pause()
            self._loop.remove_writer(self._fd)
            self._port.close()
            self._news.set()
            self._room_or_loss.set()


def _opened(path: str, line: SerialLine) -> serial.Serial:
    try:
        port = serial.Serial(
            path,
            baudrate=line.baud,
            bytesize=line.bits,
            parity=line.parity,
            stopbits=line.stop,
            timeout=0,
            xonxoff=False,
            rtscts=False,
            dsrdtr=False,
            exclusive=True,
        )
    except (serial.SerialException, OSError) as error:
        raise _explained(path, error) from error
    except ValueError as error:
        raise LinkRefused(f"{path}: {error}") from error
    # The lock above keeps out programs that ask for it, this one those that do not.
    fcntl.ioctl(port.fileno(), termios.TIOCEXCL)
    settings = termios.tcgetattr(port.fileno())
    settings[6][termios.VMIN] = 1  # with 0 a read of nothing looks like a port that has gone
    termios.tcsetattr(port.fileno(), termios.TCSANOW, settings)
    return port


def _port_errors(fd: int) -> dict[str, int]:
    try:
        counted = COUNTED.unpack(fcntl.ioctl(fd, TIOCGICOUNT, bytes(COUNTED.size)))
    except OSError:
        return {}  # not every driver counts
    _, _, _, _, _, _, framing, overrun, parity, _, buffer = counted
    return {"framing": framing, "parity": parity, "overrun": overrun + buffer}


def _explained(path: str, error: OSError) -> LinkError:
    """Say what is the matter and what to do about it."""
    if not Path(path).exists():
        return LinkNotFound(f"{path}: not there; is the instrument's cable or adapter plugged in?")
    if error.errno in {errno.EACCES, errno.EPERM}:
        return LinkRefused(f"{path}: no permission; {permission_remedy(path)}")
    if error.errno in HELD:
        who = holder(path) or "another program"
        return LinkRefused(f"{path}: in use by {who}; stop it or give it another port")
    if error.errno == errno.EISDIR or isinstance(error.__context__, termios.error):
        return LinkRefused(f"{path}: not a serial port")
    return LinkRefused(f"{path}: {error.strerror or error}")
