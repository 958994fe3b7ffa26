"""What `doctor` looks at where the settings name Bluetooth instruments."""

import asyncio

from config.schema import Settings
from drivers.errors import LinkError, LinkNotFound, SettingsError
from drivers.transports.address import ble_address
from drivers.transports.ble.bus import DENIED, Adapter, Bluez, BusError, BusGone, Device
from edge.verbs.findings import Finding, Level


def look(settings: Settings) -> list[Finding]:
    """Look at bus, daemon, adapter, and the bond of every Bluetooth instrument."""
    return asyncio.run(_look(settings))


async def _look(settings: Settings) -> list[Finding]:
    bluez = Bluez()
    try:
        adapter = await bluez.adapter(settings.bluetooth.adapter)
        devices = {each.address: each for each in await bluez.devices()}
    except LinkError as error:
        return [Finding(Level.WRONG, f"Bluetooth: {error}", _remedy(error))]
    finally:
        bluez.close()
    findings = [_adapter(adapter)]
    for name, each in settings.instruments.items():
        try:
            address = ble_address(each.link)
        except SettingsError:
            continue  # another link, or one that is told of with the instruments
        findings.append(_bond(name, address, devices.get(address)))
    return findings


def _remedy(error: LinkError) -> str:
    if isinstance(error, BusGone):
        return "apt-get install dbus bluez, and systemctl enable --now bluetooth"
    if isinstance(error, LinkNotFound):
        return "plug in a Bluetooth adapter, or name the one there is as bluetooth.adapter"
    if isinstance(error, BusError) and error.name == DENIED:
        return "usermod -aG bluetooth with the service's user, then restart the service"
    return "systemctl status bluetooth"


def _adapter(adapter: Adapter) -> Finding:
    if adapter.is_powered:
        return Finding(Level.OK, f"Bluetooth: {adapter.name}, {adapter.address}, is on")
    return Finding(
        Level.NOTE,
        f"Bluetooth: {adapter.name}, {adapter.address}, is off; the service switches it on",
        "rfkill unblock bluetooth, if it does not stay on",
    )


def _bond(name: str, address: str, device: Device | None) -> Finding:
    if device is not None and device.is_paired:
        return Finding(Level.OK, f"instrument {name}: paired with this machine")
    return Finding(
        Level.NOTE,
        f"instrument {name}: not paired; some need none, most cuffs do",
        f"vitals-edge pair {address}",
    )
