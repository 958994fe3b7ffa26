"""Links by their address: ``serial:/dev/serial/...``, ``tcp:10.0.0.7:4001``, ``ble:C0:FF:...``."""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from drivers.contract import ByteLink, SerialLine, Write
from drivers.errors import SettingsError
from drivers.model import Instant

SERIAL = "serial"
TCP = "tcp"
BLE = "ble"
MEMORY = "memory"  # a virtual instrument inside a demonstration's hub, after the script in a file

_BLE = re.compile(r"ble:(?P<address>(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2})", re.ASCII)
_TCP = re.compile(r"tcp:(?P<host>\[[0-9A-Fa-f:.]+\]|[^:\[\]\s]+):(?P<port>\d{1,5})", re.ASCII)


def scheme_of(address: str) -> str:
    """Return how an address is reached, or raise SettingsError that says how to write it."""
    scheme, _, rest = address.partition(":")
    if scheme == TCP:
        _host_and_port(address)
        return TCP
    if scheme == BLE:
        ble_address(address)
        return BLE
    if scheme in {SERIAL, MEMORY} and rest.startswith("/"):
        return scheme
    hint = f"; meant is perhaps serial:{address}" if address.startswith("/") else ""
    raise SettingsError(
        f"link {address!r}: write serial: and the path of the port, as serial:/dev/serial/by-id/"
        f"..., or tcp: with the address and port of a serial server, as tcp:10.0.0.7:4001, or ble: "
        f"with an instrument's address, as ble:C0:FF:EE:00:00:01{hint}"
    )


@asynccontextmanager
async def open_link(
    address: str,
    line: SerialLine,
    now: Callable[[], Instant],
    granted: frozenset[Write] = frozenset(),
) -> AsyncIterator[ByteLink]:
    """Open a link and close it afterwards.

    LinkNotFound and LinkRefused come before the body runs; a link lost within it is raised to
    whoever reads or writes. Over TCP the line settings are those of the serial server.
    """
    scheme = scheme_of(address)
    if scheme in {BLE, MEMORY}:
        raise SettingsError(f"link {address!r}: Bluetooth instruments are reached by `run` only")
    if scheme == TCP:
        # Here and below, not above: programs that only decode need neither.
        from drivers.transports.tcp_port import TcpPort  # noqa: PLC0415

        connection = await TcpPort.open(*_host_and_port(address), now, granted)
        try:
            yield connection
        finally:
            await connection.close()
        return
    from drivers.transports.serial_port import SerialPort  # noqa: PLC0415

    port = SerialPort(address.removeprefix(f"{SERIAL}:"), line, now, granted)
    try:
        yield port
    finally:
        port.close()


def ble_address(address: str) -> str:
    """Return the Bluetooth address in a link, in capitals, or raise SettingsError."""
    found = _BLE.fullmatch(address)
    if found is None:
        raise SettingsError(
            f"link {address!r}: write ble: and the address of one instrument, as "
            "ble:C0:FF:EE:00:00:01; `vitals-edge pair --scan` lists those that are near"
        )
    return found["address"].upper()


def _host_and_port(address: str) -> tuple[str, int]:
    found = _TCP.fullmatch(address)
    port = int(found["port"]) if found else 0
    if found is None or not 0 < port < 65_536:
        raise SettingsError(
            f"link {address!r}: write tcp:HOST:PORT, as tcp:10.0.0.7:4001 or tcp:[fd00::7]:4001"
        )
    return found["host"].strip("[]"), port
