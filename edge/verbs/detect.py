"""Find out which instrument is at which serial port, and print the settings to paste.

Listens at every line setting that an instrument of the registry may have; nothing is written. With
--ask, silent ports are also asked harmless questions (model, identity), and an instrument that was
found is asked its number; an instrument of another kind may take a question amiss, so unplug what
you do not want to be asked. Exit code 0 if an instrument was found, 1 if none was.
"""

import argparse
import asyncio
import sys
from collections.abc import Mapping, Sequence

import msgspec

from drivers.contract import SerialLine, Write
from drivers.errors import SettingsError
from drivers.registry import REGISTRY
from drivers.transports.address import SERIAL
from drivers.transports.ports import Port, alike, port_of, serial_ports
from edge.clock import SystemClock
from edge.detecting import Candidate, Found, Search, Sure
from edge.plaintext import warning

SHOWN = 4  # candidates a port


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--port",
        action="append",
        default=[],
        metavar="PORT",
        help="look only here: /dev/ttyUSB0, or a link as rfc2217://10.0.0.7:4001; may be repeated",
    )
    parser.add_argument("--ask", action="store_true", help="put harmless questions, too")
    parser.add_argument(
        "--seconds",
        type=float,
        default=6.0,
        metavar="N",
        help="listen so long at each line setting",
    )
    parser.add_argument(
        "--line",
        action="append",
        default=[],
        metavar="LINE",
        help='only this line setting, as "9600 8N1"; may be repeated',
    )


def run(args: argparse.Namespace) -> int:
    """Look at all ports at once; 0 if an instrument was found."""
    try:
        lines = tuple(SerialLine.of(text) for text in args.line)
    except ValueError as error:
        raise SettingsError(f"--line: {error}") from error
    ports = serial_ports()
    links = [_link(name) for name in args.port] or [f"{SERIAL}:{port.stable}" for port in ports]
    for link in links:
        if told := warning(link):
            _say(told)
    if not links:
        _say("no serial port is here: plug the instrument's cable or adapter in")
    for group in alike(ports):
        twins = ", ".join(port.path for port in group)
        _say(
            f"{twins}: adapters that say the same of themselves; only their sockets tell them apart"
        )
    search = Search(SystemClock(), seconds=args.seconds, ask=args.ask, lines=lines)
    found = asyncio.run(_all(search, links))
    names: dict[str, int] = {}
    for each in found:
        port = port_of(each.link.removeprefix(f"{SERIAL}:"), ports)
        block = settings_block(each, names, asked=args.ask)
        sys.stdout.write(msgspec.json.encode(_fields(each, port, block)).decode() + "\n")
        _say(_told(each))
        if block:
            sys.stderr.write(f"\n{block}\n")
    return 0 if any(each.best for each in found) else 1


async def _all(search: Search, links: Sequence[str]) -> list[Found]:
    return list(await asyncio.gather(*(search.at(link) for link in links)))


def _link(name: str) -> str:
    return f"{SERIAL}:{name}" if name.startswith("/") else name


def settings_block(found: Found, names: dict[str, int], *, asked: bool) -> str:
    """Return the settings of what was found, empty for nothing; `names` are those given before."""
    best = found.best
    if best is None:
        return ""
    entry = REGISTRY[best.driver]
    count = names[best.driver] = names.get(best.driver, 0) + 1
    lines = [
        f"[instruments.{best.driver}{'' if count == 1 else f'-{count}'}]",
        f"driver = {_toml(best.driver)}",
        f"link = {_toml(found.link)}",
    ]
    if best.line != entry.line:
        lines.append(f"line = {_toml(str(best.line))}")
    serial = found.identity.serial if found.identity else None
    if serial:
        lines.append(f"serial = {_toml(serial)}  # of the instrument: another one here is refused")
    if serial and asked and Write.IDENTIFY in entry.writes:
        lines.append('allow = ["identify"]  # so that it can be asked for its number')
    elif entry.writes:
        known = ", ".join(_toml(str(purpose)) for purpose in sorted(entry.writes))
        lines.append(f"# allow = [{known}]  # what may be written to it; nothing unless you say so")
    return "\n".join(lines) + "\n"


def _toml(text: str) -> str:
    return msgspec.json.encode(text).decode()


def _fields(found: Found, port: Port | None, block: str) -> Mapping[str, object]:
    best = found.best
    return {
        "link": found.link,
        "port": port.path if port else None,
        "by_path": port.by_path if port else None,
        "by_id": port.by_id if port else None,
        "usb": port.usb if port else None,
        "state": found.state,
        "reason": found.reason,
        "driver": best.driver if best else None,
        "sure": best.sure.name.lower() if best else None,
        "line": str(best.line) if best else None,
        "identity": found.identity,
        "candidates": [_candidate(each) for each in found.candidates[:SHOWN]],
        "settings": block or None,
    }


def _candidate(one: Candidate) -> Mapping[str, object]:
    return {
        "driver": one.driver,
        "line": str(one.line),
        "sure": one.sure.name.lower(),
        "frames": one.frames,
        "framed_bytes": one.framed,
        "skipped_bytes": one.skipped,
        "fit": round(one.fit, 3),
        "answered": one.answered,
    }


def _told(found: Found) -> str:
    best = found.best
    if best is None:
        return f"{found.link}: {found.state}; {found.reason}"
    who = found.identity
    named = (
        " ".join(filter(None, (who.model, who.serial and f"serial {who.serial}"))) if who else ""
    )
    others = [
        each.driver
        for each in found.candidates
        if each.driver != best.driver and each.sure is best.sure is Sure.POSSIBLE
    ]
    doubt = f", or {', '.join(dict.fromkeys(others))}" if others else ""
    what = f"{REGISTRY[best.driver].title} at {best.line}"
    return f"{found.link}: {best.sure.name.lower()} {what}{doubt}{': ' if named else ''}{named}"


def _say(message: str) -> None:
    sys.stderr.write(f"vitals-edge detect: {message}\n")
