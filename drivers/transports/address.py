"""Links by their address: ``serial:/dev/ttyUSB0``."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from drivers.contract import ByteLink, SerialLine, Write
from drivers.errors import SettingsError
from drivers.model import Instant

SERIAL = "serial"


def scheme_of(address: str) -> str:
    """Return how an address is reached, or raise SettingsError that says how to write it."""
    scheme, colon, rest = address.partition(":")
    if not (scheme == SERIAL and colon and rest.startswith("/")):
        hint = f"; meant is perhaps serial:{address}" if address.startswith("/") else ""
        raise SettingsError(
            f"link {address!r}: write serial: and the path of the port, "
            f"as serial:/dev/serial/by-id/...{hint}"
        )
    return scheme


@asynccontextmanager
async def open_link(
    address: str,
    line: SerialLine,
    now: Callable[[], Instant],
    granted: frozenset[Write] = frozenset(),
) -> AsyncIterator[ByteLink]:
    """Open a link and close it afterwards.

    LinkNotFound and LinkRefused come before the body runs; a link lost within it is raised to
    whoever reads or writes.
    """
    scheme_of(address)
    # Here, not above: programs that only decode need no serial library.
    from drivers.transports.serial_port import SerialPort  # noqa: PLC0415

    port = SerialPort(address.removeprefix(f"{SERIAL}:"), line, now, granted)
    try:
        yield port
    finally:
        port.close()
