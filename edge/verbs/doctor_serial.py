"""What the doctor says of serial ports, and of the instruments that the settings put at them."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from config.schema import Instrument, Settings
from drivers.contract import SerialLine
from drivers.errors import SettingsError
from drivers.transports.address import FOLDER, SERIAL, TCP, scheme_of
from drivers.transports.ports import (
    Port,
    alike,
    holder,
    permission_remedy,
    port_of,
    serial_ports,
)
from edge.decoding import entry_named
from edge.plaintext import check_network
from edge.verbs.doctor_folder import look_at_folder
from edge.verbs.findings import Finding, Level

RULES = Path("etc/udev/rules.d/70-vitals-edge.rules")
COUNTED = ("ttyUSB", "ttyACM")
OURS = "vitals-edge"


def look_at_ports(settings: Settings | None, root: Path = Path("/")) -> Iterator[Finding]:
    """Say of each port what it is, whether it may be used and who uses it."""
    ports = serial_ports(root)
    if not ports:
        yield Finding(Level.OK, "serial ports: none plugged in")
    wanted = {_resolved(each.link) for each in settings.instruments.values()} if settings else set()
    for port in ports:
        yield _port(port, root, is_wanted=port.path in wanted)
    for group in alike(ports):
        twins = ", ".join(port.path for port in group)
        yield Finding(
            Level.NOTE,
            f"{twins}: adapters that say the same of themselves, serial number included",
            "call each by its socket, /dev/serial/by-path/..., and leave it there",
        )
    if any(port.usb for port in ports):
        yield from _udev(root)
    for port in ports:
        if _is_console(port, root):
            yield Finding(
                Level.WRONG if port.path in wanted else Level.NOTE,
                f"{port.path}: the kernel's console is on it, and talks to whatever is plugged in",
                "take console=... out of /boot/firmware/cmdline.txt (raspi-config: serial port, no "
                "login shell) and start again",
            )


def look_at_instrument(
    name: str, instrument: Instrument, root: Path = Path("/")
) -> Iterator[Finding]:
    """Say whether an instrument can be reached as the settings say."""
    try:
        entry = entry_named(instrument.driver)
        entry.options(instrument.options)
        scheme = scheme_of(instrument.link)
        check_network(instrument.link, plaintext=instrument.plaintext)
        if instrument.line:
            SerialLine.of(instrument.line)
    except (SettingsError, ValueError) as error:
        yield Finding(Level.WRONG, f"instrument {name}: {error}", "correct it in the settings file")
        return
    if scheme == SERIAL:
        yield from _at_port(name, instrument, entry.title, serial_ports(root))
        return
    if scheme == FOLDER:
        vouched = instrument.options.get("clock_error_s") is not None
        yield from look_at_folder(name, instrument.link, clock_vouched=vouched)
        return
    yield Finding(Level.OK, f"instrument {name}: {entry.title} at {instrument.link}")
    if scheme == TCP and instrument.plaintext:
        yield Finding(
            Level.NOTE,
            f"instrument {name}: nothing on the way to {instrument.link} is encrypted, or proves "
            "who speaks",
            "keep the serial server on a network of its own, and grant writes only where needed",
        )


def _at_port(
    name: str, instrument: Instrument, title: str, ports: Sequence[Port]
) -> Iterator[Finding]:
    path = Path(instrument.link.partition(":")[2])
    if not path.exists():
        yield Finding(
            Level.NOTE,
            f"instrument {name}: {path} is not there",
            "plug it in; `vitals-edge detect` shows what is at which port",
        )
        return
    if not os.access(path, os.R_OK | os.W_OK):
        yield Finding(
            Level.WRONG,
            f"instrument {name}: {path} may not be used",
            permission_remedy(str(path)),
        )
        return
    held = holder(str(path))
    if held is not None and not held.startswith(OURS):
        yield Finding(Level.WRONG, f"instrument {name}: {path} is in use by {held}", "stop it")
        return
    used = f", in use by {held}" if held else ""
    yield Finding(Level.OK, f"instrument {name}: {title} at {instrument.link}{used}")
    yield from _name_of(name, path, ports)


def _name_of(name: str, path: Path, ports: Sequence[Port]) -> Iterator[Finding]:
    """Say whether the port is called by a name that stays."""
    port = port_of(str(path), ports)
    if port is None or port.by_path is None:
        return
    twins = any(port in group for group in alike(ports))
    counted = path.name.startswith(COUNTED) and path.parent == Path("/dev")
    if counted or (twins and "by-id" in path.parts):
        yield Finding(
            Level.NOTE,
            f"instrument {name}: {path} is another port after the next start or replug, perhaps",
            f'link = "serial:{port.by_path}"',
        )


def _port(port: Port, root: Path, *, is_wanted: bool) -> Finding:
    usb = port.usb
    words = [port.path]
    if usb is not None:
        words.append(" ".join(filter(None, (usb.maker, usb.product))))
        words.append(f"{usb.vid}:{usb.pid}")
    if port.by_path:
        words.append(f"at {port.by_path}")
    what = f"serial port {', '.join(filter(None, words))}"
    path = str(root / port.path.lstrip("/"))
    if not os.access(path, os.R_OK | os.W_OK):
        level = Level.WRONG if is_wanted else Level.NOTE
        return Finding(level, f"{what}: may not be used", permission_remedy(path))
    held = holder(path)
    return Finding(Level.OK, f"{what}, in use by {held}" if held else what)


def _udev(root: Path) -> Iterator[Finding]:
    if (root / RULES).exists():
        yield Finding(Level.OK, f"udev rules: /{RULES}")
        return
    modem = any(_comm(process) == "ModemManager" for process in (root / "proc").glob("[0-9]*"))
    danger = "ModemManager runs and writes to every new port" if modem else "a program for modems"
    yield Finding(
        Level.NOTE,
        f"udev rules: not installed; {danger}{'' if modem else ' may write to a new port'}, and on "
        "newer systems a service may not use ports of the group plugdev",
        f"copy config/deploy/{RULES.name} to /{RULES.parent}/ and replug",
    )


def _comm(process: Path) -> str:
    try:
        return (process / "comm").read_text("utf-8").strip()
    except OSError:
        return ""


def _is_console(port: Port, root: Path) -> bool:
    try:
        words = (root / "proc/cmdline").read_text("utf-8").split()
    except OSError:
        return False
    consoles = {word.partition("=")[2].partition(",")[0] for word in words if "console=" in word}
    return Path(port.path).name in consoles


def _resolved(link: str) -> str:
    return str(Path(link.partition(":")[2]).resolve()) if link.startswith("serial:") else ""
