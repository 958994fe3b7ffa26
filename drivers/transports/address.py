"""Links by their address.

serial:/dev/serial/by-path/...   a port of this machine
socket://10.0.0.7:4001           a serial server, raw; its line is set on the server (also tcp:)
rfc2217://10.0.0.7:4001          a serial server that sets its line as it is told
ble:C0:FF:EE:00:00:01            a Bluetooth LE instrument, by its own address
folder:/srv/ecg                  a folder in which an instrument leaves files
"""

import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from drivers.contract import ByteLink, FileLink, SerialLine, Write
from drivers.errors import SettingsError
from drivers.model import Instant
from drivers.transports.drop_folder import FolderRules
from drivers.transports.folder import FolderLink

if TYPE_CHECKING:
    from drivers.transports.rfc2217_port import Rfc2217Port
    from drivers.transports.tcp_port import TcpPort

SERIAL = "serial"
TCP = "tcp"
BLE = "ble"
FOLDER = "folder"
MEMORY = "memory"  # a virtual instrument inside a demonstration's hub, after the script in a file

_BLE = re.compile(r"ble:(?P<address>(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2})", re.ASCII)
RFC2217 = "rfc2217://"

_NETWORK = re.compile(
    r"(?:tcp:|socket://|rfc2217://)(?P<host>\[[0-9A-Fa-f:.]+\]|[^:/\[\]\s]+):(?P<port>\d{1,5})",
    re.ASCII,
)
_NETWORK_SCHEMES = frozenset({TCP, "socket", "rfc2217"})


def scheme_of(address: str) -> str:
    """Return how an address is reached, or raise SettingsError that says how to write it."""
    scheme, _, rest = address.partition(":")
    if scheme in _NETWORK_SCHEMES:
        _host_and_port(address)
        return TCP
    if scheme == BLE:
        ble_address(address)
        return BLE
    if scheme in {SERIAL, FOLDER, MEMORY} and rest.startswith("/"):
        return scheme
    hint = f"; meant is perhaps serial:{address}" if address.startswith("/") else ""
    raise SettingsError(
        f"link {address!r}: write serial: and the path of the port, as serial:/dev/serial/by-path/"
        "..., or the address and port of a serial server, as socket://10.0.0.7:4001 (raw) or "
        "rfc2217://10.0.0.7:4001, or ble: with an instrument's address, as ble:C0:FF:EE:00:00:01, "
        f"or folder: and the path of a folder, as folder:/srv/ecg{hint}"
    )


def host_of(address: str) -> str | None:
    """Return the host of a serial server; None for a port of this machine."""
    return _host_and_port(address)[0] if scheme_of(address) == TCP else None


@asynccontextmanager
async def open_link(
    address: str,
    line: SerialLine,
    now: Callable[[], Instant],
    granted: frozenset[Write] = frozenset(),
) -> AsyncIterator[ByteLink]:
    """Open a link and close it afterwards.

    LinkNotFound and LinkRefused come before the body runs; a link lost within it is raised to
    whoever reads or writes. Over socket:// the line settings are those of the serial server.
    """
    scheme = scheme_of(address)
    if scheme in {BLE, MEMORY}:
        raise SettingsError(f"link {address!r}: Bluetooth instruments are reached by `run` only")
    if scheme == SERIAL:
        # Here and below, not above: programs that only decode need none of them.
        from drivers.transports.serial_port import SerialPort  # noqa: PLC0415

        port = SerialPort(address.removeprefix(f"{SERIAL}:"), line, now, granted)
        try:
            yield port
        finally:
            port.close()
        return
    connection = await _reached(address, line, now, granted)
    try:
        yield connection
    finally:
        await connection.close()


async def _reached(
    address: str, line: SerialLine, now: Callable[[], Instant], granted: frozenset[Write]
) -> "TcpPort | Rfc2217Port":
    where = _host_and_port(address)
    if address.startswith(RFC2217):
        from drivers.transports.rfc2217_port import Rfc2217Port  # noqa: PLC0415

        return await Rfc2217Port.open(where, line, now, granted)
    from drivers.transports.tcp_port import TcpPort  # noqa: PLC0415

    return await TcpPort.open(*where, now, granted)


@asynccontextmanager
async def open_folder(
    address: str, rules: FolderRules, now: Callable[[], Instant]
) -> AsyncIterator[FileLink]:
    """Open a folder in which files are left, and let go of it afterwards.

    LinkNotFound and LinkRefused come before the body runs.
    """
    link = await FolderLink.open(Path(address.removeprefix(f"{FOLDER}:")), rules, now)
    try:
        yield link
    finally:
        await link.close()


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
    found = _NETWORK.fullmatch(address)
    port = int(found["port"]) if found else 0
    if found is None or not 0 < port < 65_536:
        raise SettingsError(
            f"link {address!r}: write the host and port of the serial server, as "
            "socket://10.0.0.7:4001, rfc2217://10.0.0.7:4001 or socket://[fd00::7]:4001"
        )
    return found["host"].strip("[]"), port
