"""Check this machine and say what to do.

Without --config it looks at the installation; with --config also at whether this machine can be the
hub that the settings describe. Exit code 1 if something is wrong; notes are not.
"""

import argparse
import os
import platform
import pwd
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from config.load import load
from config.schema import Instrument, Settings
from edge.clock import SystemClock
from edge.verbs.doctor_hub import look_at_hub
from edge.verbs.doctor_serial import look_at_instrument, look_at_ports
from edge.verbs.findings import Finding, Level

DISTRIBUTION = "vitals-edge"
PACKAGES = ("config", "drivers", "dsp", "edge")
OLDEST_PYTHON = (3, 11)
SYSTEM_PROGRAMS = "/usr/sbin:/usr/local/sbin"  # not on an ordinary user's PATH


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="the settings of this hub")


def run(args: argparse.Namespace) -> int:
    """Print the findings; 1 if any of them is wrong."""
    settings = load(args.config) if args.config else None
    findings = [*_installation(), *_machine(settings), *_radio(settings), *_instruments(settings)]
    for finding in findings:
        sys.stdout.write(f"{finding.level:6}{finding.what}\n")
        if finding.remedy:
            sys.stdout.write(f"      to do: {finding.remedy}\n")
    return int(any(finding.level is Level.WRONG for finding in findings))


def _installation() -> Iterator[Finding]:
    version = platform.python_version()
    if sys.version_info >= OLDEST_PYTHON:
        yield Finding(Level.OK, f"Python {version} on {platform.machine()}")
    else:
        oldest = ".".join(map(str, OLDEST_PYTHON))
        yield Finding(Level.WRONG, f"Python {version}", f"install {DISTRIBUTION} under {oldest}")
    yield _names(metadata.packages_distributions())
    yield _one_place({name: _place(name) for name in PACKAGES})
    yield from _libraries()


def _names(provided: Mapping[str, list[str]]) -> Finding:
    """Tell whether another distribution provides a package of ours: one would hide the other."""
    others = {
        f"{name} of {other}"
        for name in PACKAGES
        for other in provided.get(name, [])
        if other != DISTRIBUTION
    }
    if not others:
        return Finding(Level.OK, f"nobody else provides {', '.join(PACKAGES)}")
    return Finding(
        Level.WRONG,
        f"another distribution provides {', '.join(sorted(others))}",
        f"uninstall it, or give {DISTRIBUTION} a virtual environment of its own",
    )


def _one_place(places: Mapping[str, Path | None]) -> Finding:
    """Tell whether all packages of ours are imported from one folder."""
    if len(set(places.values())) == 1 and None not in places.values():
        return Finding(
            Level.OK, f"{DISTRIBUTION} {metadata.version(DISTRIBUTION)} in {places['edge']}"
        )
    found = ", ".join(f"{name} in {place or 'no folder'}" for name, place in places.items())
    return Finding(
        Level.WRONG,
        f"our packages come from different folders: {found}",
        f"install {DISTRIBUTION} again into an empty virtual environment",
    )


def _place(name: str) -> Path | None:
    spec = find_spec(name)
    return Path(spec.origin).parent.parent if spec and spec.origin else None


def _libraries() -> Iterator[Finding]:
    required = [text for text in metadata.requires(DISTRIBUTION) or [] if "extra ==" not in text]
    names = sorted({re.split(r"[^A-Za-z0-9._-]", text, maxsplit=1)[0] for text in required})
    there = {name: _version(name) for name in names}
    have = ", ".join(f"{name} {version}" for name, version in there.items() if version)
    yield Finding(Level.OK, f"libraries: {have}")
    if missing := [name for name, version in there.items() if version is None]:
        yield Finding(
            Level.WRONG,
            f"libraries missing: {', '.join(missing)}",
            "pip install --require-hashes --no-deps -r requirements.lock",
        )


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _machine(settings: Settings | None) -> Iterator[Finding]:
    yield _broker()
    yield _clock(settings)
    yield _state(settings.hub.state_dir if settings else None)
    yield from look_at_ports(settings)


def _broker() -> Finding:
    found = shutil.which("mosquitto") or shutil.which("mosquitto", path=SYSTEM_PROGRAMS)
    if found:
        return Finding(Level.OK, f"mosquitto: {found}")
    return Finding(
        Level.NOTE,
        "mosquitto is not installed: no demonstration, and no broker on this machine",
        "apt-get install mosquitto, unless the broker is another machine's",
    )


def _clock(settings: Settings | None) -> Finding:
    if SystemClock().now().trusted:
        return Finding(Level.OK, "clock: synchronised")
    if settings and settings.clock.trust == "assume":
        return Finding(
            Level.NOTE, "clock: not synchronised; the settings say to trust it all the same"
        )
    return Finding(
        Level.WRONG if settings else Level.NOTE,
        "clock: not synchronised; a hub holds results until it is, up to the limit it is set",
        "timedatectl set-ntp true, or install chrony; the network must reach a time server",
    )


def _state(folder: Path | None) -> Finding:
    if folder is None:
        return Finding(Level.OK, "state folder: named by the settings; give --config to check it")
    existing = next(place for place in (folder, *folder.absolute().parents) if place.exists())
    if existing.is_dir() and os.access(existing, os.W_OK | os.X_OK):
        return Finding(Level.OK, f"state folder: {folder} is writable")
    return Finding(
        Level.WRONG,
        f"state folder: {folder} cannot be written by {_user()}",
        f"install -d -m 0700 -o {_user()} {folder}",
    )


def _radio(settings: Settings | None) -> list[Finding]:
    if settings is None or not any(map(_is_ble, settings.instruments.values())):
        return []
    # Only here: nobody else's machine needs the libraries of Bluetooth.
    from edge.verbs.doctor_radio import look  # noqa: PLC0415

    return look(settings)


def _is_ble(instrument: Instrument) -> bool:
    return instrument.link.startswith("ble:")


def _instruments(settings: Settings | None) -> Iterator[Finding]:
    for name, instrument in settings.instruments.items() if settings else ():
        yield from look_at_instrument(name, instrument)
    if settings is not None:
        yield from look_at_hub(settings.hub.state_dir)


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())
