"""The serial ports of this machine, and what the system knows of each: names, adapter, socket.

A port goes by its socket (``/dev/serial/by-path``): its number is given out anew at every start and
replug, adapters of one model often have no serial number of their own, VID:PID names a chip that
hundreds of instruments share. None of it says which instrument is at the other end.
"""

import grp
import os
import pwd
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

PATTERNS = ("ttyUSB*", "ttyACM*", "ttyAMA*", "ttyS*", "rfcomm*")
UDEV = (
    "the udev rules of config/deploy, copied to /etc/udev/rules.d/, give it to the group dialout: "
    "then replug it"
)
UNKNOWN_UART = "0"  # what the kernel calls a place where no port is soldered in


@dataclass(frozen=True, slots=True)
class Usb:
    """What an adapter says of itself; `serial` is the adapter's, never an instrument's."""

    vid: str
    pid: str
    serial: str | None
    maker: str | None
    product: str | None


@dataclass(frozen=True, slots=True)
class Port:
    """One port: `by_path` is its socket, `by_id` its adapter, where the system has such names."""

    path: str
    by_path: str | None = None
    by_id: str | None = None
    usb: Usb | None = None

    @property
    def stable(self) -> str:
        """The name that stays with the socket, else the only one there is."""
        return self.by_path or self.path


def serial_ports(root: Path = Path("/")) -> list[Port]:
    """Return the ports that are there, by name; `root` is for looking at another system."""
    by_path, by_id = (_names(root / "dev/serial" / kind) for kind in ("by-path", "by-id"))
    found = {path.name for pattern in PATTERNS for path in (root / "dev").glob(pattern)}
    return [
        Port(
            path=f"/dev/{name}",
            by_path=_first(by_path.get(name, ()), "by-path"),
            by_id=_first(by_id.get(name, ()), "by-id"),
            usb=_usb(root / "sys/class/tty" / name / "device"),
        )
        for name in sorted(found, key=lambda name: (len(name), name))
        if _is_real(root / "sys/class/tty" / name)
    ]


def port_of(path: str, ports: Iterable[Port]) -> Port | None:
    """Return the port that a path, or a link to it, names."""
    resolved = str(Path(path).resolve())
    return next((port for port in ports if port.path in {path, resolved}), None)


def alike(ports: Iterable[Port]) -> Iterator[tuple[Port, ...]]:
    """Yield groups of ports whose adapters cannot be told apart by what they say of themselves."""
    groups: dict[tuple[str, str, str | None], list[Port]] = {}
    for port in ports:
        if port.usb is not None:
            key = (port.usb.vid, port.usb.pid, port.usb.serial)
            groups.setdefault(key, []).append(port)
    yield from (tuple(group) for group in groups.values() if len(group) > 1)


def permission_remedy(path: str) -> str:
    """Say exactly how to let this user use a port: by its group (dialout, plugdev, uucp), or udev.

    Newer systems put USB ports into plugdev and give the person at the screen an access list; a
    service has neither.
    """
    user = _user()
    group = _group(Path(path).stat().st_gid)
    if group == "root":
        return f"only root may use it; {UDEV}"
    if user in _members(group):
        return (
            f"{user} is in the group {group}, but this session began before that: log in again, or "
            "restart the service"
        )
    remedy = f"usermod -aG {group} {user}, then log in again or restart the service"
    return f"{remedy}; or {UDEV}" if group == "plugdev" else remedy


def holder(path: str) -> str | None:
    """Name a program that has the port open, as far as this user may look."""
    device = Path(path).resolve()
    own = str(os.getpid())
    mine = None
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if not any(fd.readlink() == device for fd in (process / "fd").iterdir()):
                continue
            if process.name != own:
                return f"{_program(process)} (process {process.name})"
            mine = "this program, for another instrument"
        except OSError:
            continue
    return mine


def _program(process: Path) -> str:
    """Return the name of a program; of one of ours ours, however it was started."""
    words = (process / "cmdline").read_bytes().split(b"\0")
    if b"edge.cli" in words or any(word.endswith(b"/vitals-edge") for word in words[:3]):
        return "vitals-edge"
    return (process / "comm").read_text("utf-8").strip()


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _members(group: str) -> list[str]:
    try:
        return grp.getgrnam(group).gr_mem
    except KeyError:
        return []


def _names(folder: Path) -> dict[str, list[str]]:
    """Return the links in a folder by the name of the device they lead to."""
    names: dict[str, list[str]] = {}
    for link in sorted(folder.glob("*")):
        if link.is_symlink():
            names.setdefault(Path(link.readlink()).name, []).append(link.name)
    return names


def _first(names: Iterable[str], kind: str) -> str | None:
    """Return the plainest name; newer systems have one more of the form usbv2-..."""
    chosen = min(names, key=lambda name: ("usbv" in name, name), default=None)
    return None if chosen is None else f"/dev/serial/{kind}/{chosen}"


def _is_real(device: Path) -> bool:
    kind = _read(device / "type")
    return kind != UNKNOWN_UART


def _usb(device: Path) -> Usb | None:
    if not device.exists():
        return None
    for place in device.resolve().parents:
        vid, pid = _read(place / "idVendor"), _read(place / "idProduct")
        if vid and pid:
            words = (_read(place / name) for name in ("serial", "manufacturer", "product"))
            return Usb(vid, pid, *words)
    return None


def _read(file: Path) -> str | None:
    try:
        return file.read_text("utf-8", errors="replace").strip() or None
    except OSError:
        return None
