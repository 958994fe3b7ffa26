"""The shape of a hub's settings file; every key is checked before anything starts.

One hub is one room. `example.toml` beside this file shows every key with its default.
"""

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, field

Name = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]{0,31}$")]
Seconds = Annotated[float, Meta(gt=0)]
Port = Annotated[int, Meta(ge=1, le=65535)]


class Hub(Struct, frozen=True, forbid_unknown_fields=True):
    """Who this hub is, and where it keeps what it must not lose."""

    site: Name
    name: Name
    state_dir: Path = Path("/var/lib/vitals-edge")
    space: Literal["production", "demo"] = "production"


class Tls(Struct, frozen=True, forbid_unknown_fields=True):
    """Mutual TLS; the certificate's common name is the hub's name."""

    ca: Path
    certificate: Path
    key: Path


class Broker(Struct, frozen=True, forbid_unknown_fields=True):
    """Where results go."""

    host: str = "127.0.0.1"
    port: Port = 1883
    tls: Tls | None = None
    username: str | None = None
    password_file: Path | None = None
    max_packet_bytes: Annotated[int, Meta(ge=65_536)] = 1_048_576


class Room(Struct, frozen=True, forbid_unknown_fields=True):
    """The site's choices about people and values."""

    confirm: Literal["auto", "confirm"] = "confirm"
    idle_close_s: Seconds = 900.0


class Clock(Struct, frozen=True, forbid_unknown_fields=True):
    """Whom to ask whether the wall clock is right, and how long to hold values while it is not."""

    trust: Literal["kernel", "assume"] = "kernel"
    hold_limit_s: Annotated[float, Meta(ge=0)] = 3600.0


class Store(Struct, frozen=True, forbid_unknown_fields=True):
    """Bounds of the database: it refuses loudly when full, and never drops what is unfiled."""

    limit_mib: Annotated[int, Meta(ge=16)] = 2048
    retention_days: Annotated[float, Meta(ge=0)] = 7.0


class Bluetooth(Struct, frozen=True, forbid_unknown_fields=True):
    """The radio of Bluetooth LE instruments, and what the hub may do when it hears nothing.

    `adapter` is hci0, hci1, ..., the first there is if not given. Restarting bluetoothd needs a
    rule of polkit too (config/deploy).
    """

    adapter: Annotated[str, Meta(pattern=r"^hci[0-9]{1,2}$")] | None = None
    silence_s: Annotated[float, Meta(ge=30)] = 300.0
    power_cycle: bool = True
    restart_daemon: bool = False


class Analysis(Struct, frozen=True, forbid_unknown_fields=True):
    """The process that computes on waveforms; `publish` sends what it derives."""

    enabled: bool = True
    publish: bool = False
    memory_mib: Annotated[int, Meta(ge=256)] = 1024


class Instrument(Struct, frozen=True, forbid_unknown_fields=True):
    """One instrument; `options` are checked by the driver's own settings.

    `allow` grants purposes of writing, none by default; `serial` binds to one device; `line` is
    for one that is not set as it came. `plaintext` says that a serial server on the network is
    wanted although nothing on the way is encrypted or proves who speaks.
    """

    driver: Name
    link: str
    allow: tuple[str, ...] = ()
    serial: str | None = None
    line: str | None = None
    plaintext: bool = False
    options: dict[str, Any] = field(default_factory=dict)


class Scanner(Struct, frozen=True, forbid_unknown_fields=True):
    """A barcode reader on a serial line.

    `wristband`, `slip` and `badge` are regular expressions of whole codes; a group in one is the
    part that is asked for. At least one is given.
    """

    link: str
    line: str = "9600 8N1"
    prefix: Annotated[str, Meta(max_length=8)] = ""
    terminator: Annotated[str, Meta(min_length=1, max_length=8)] = "\r"
    wristband: str | None = None
    slip: str | None = None
    badge: str | None = None

    def __post_init__(self) -> None:
        rules = {"wristband": self.wristband, "slip": self.slip, "badge": self.badge}
        if not any(rules.values()):
            raise ValueError("no rule: give wristband, slip or badge")
        if not (self.prefix + self.terminator).isascii():
            raise ValueError("prefix and terminator: ASCII only")
        for key, rule in rules.items():
            try:
                re.compile(rule or "")
            except re.error as error:
                raise ValueError(f"{key}: no regular expression: {error}") from error


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """One hub."""

    hub: Hub
    broker: Broker = Broker()
    room: Room = Room()
    clock: Clock = Clock()
    store: Store = Store()
    analysis: Analysis = Analysis()
    bluetooth: Bluetooth = Bluetooth()
    scanner: Scanner | None = None
    instruments: dict[Name, Instrument] = field(default_factory=dict)
