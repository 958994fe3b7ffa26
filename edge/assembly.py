"""The one place where the parts of a hub are chosen and joined, from its settings."""

import re
import ssl
import uuid
import zlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from config.load import SettingsError
from config.schema import Broker, Instrument, Settings
from config.secrets import read_secret
from drivers.contract import ByteLink, GattLink, SerialLine, Write
from drivers.errors import SettingsError as DriverSettingsError
from drivers.model import Instant
from drivers.protocols.barcode import Decoder
from drivers.registry import REGISTRY, Entry, LinkKind
from drivers.transports.address import (
    BLE,
    MEMORY,
    ble_address,
    open_folder,
    open_link,
    scheme_of,
)
from edge.acceptance import Hub as Origin
from edge.analysis import Analysis, Limits
from edge.chronicle import Chronicle
from edge.clock import Clock, SystemClock, utc
from edge.contract.dialogue import Reply, Request
from edge.contract.topics import Hub
from edge.control import Control, Door
from edge.desk import Desk, NoAnswer
from edge.events import Confirm, Policy
from edge.observation import Space
from edge.plaintext import check_network
from edge.plan import AnyLink, Plan
from edge.post import Post
from edge.publish.mqtt import Endpoint
from edge.publish.outgoing import Sender
from edge.publish.publisher import Publisher, Tuning
from edge.scanner import BarcodeReader, Rules, Use
from edge.service import Service
from edge.station import Station, Ways
from edge.store import Store
from edge.view import RoomView, WayView

if TYPE_CHECKING:
    from edge.bluetooth import Bluetooth

DAY_S = 86_400.0
MIB = 1024 * 1024
STORE = "hub.db"
CONTROL = "control.sock"


@asynccontextmanager
async def assembled(settings: Settings) -> AsyncIterator[Service]:
    """Build a hub from its settings, and take it apart afterwards.

    Raises
    ------
    config.load.SettingsError
        If an instrument, a grant or a certificate is wrong.
    edge.store.StoreError
        If the store cannot be used.
    """
    checked, here, to = plans(settings), clock(settings), endpoint(settings)
    site = ways(settings)
    path = settings.hub.state_dir / STORE
    limit = settings.store.limit_mib * MIB
    async with (
        await Store.open(path, clock=here, limit_bytes=limit) as store,
        _analysis(settings) as analysis,
    ):
        chronicle = await Chronicle.resumed(store)
        post = Post(chronicle, store, here)
        sender = Sender(
            Hub(settings.hub.site, settings.hub.name),
            boot_id=site.run,
            versions={"vitals-edge": version("vitals-edge")},
        )
        tuning = Tuning(seed=zlib.crc32(settings.hub.name.encode()))
        publisher = Publisher(sender, to, store, post, here, tuning)
        station = Station(
            site,
            clock=here,
            store=store,
            chronicle=chronicle,
            analysis=analysis,
            fits=publisher.fits,
        )
        radio = _bluetooth(settings, checked, here, chronicle)
        if radio is not None:
            checked = radio.reaching(checked)
        ask = partial(_ask, publisher)
        desk = Desk(chronicle, here, ask, store.subject, site.run, store.study)
        post.desk, post.publisher = desk, publisher
        chronicle.listeners.append(post.report)
        station.file_listeners.append(post.file_set_aside)
        reader = _reader(settings, desk, here)
        door = Door(
            desk,
            partial(_screen, station, publisher, radio, reader),
            chronicle.change,
            station.take_now,
            station.wish,
            radio.answer if radio else None,
        )
        control = Control(settings.hub.state_dir / CONTROL, door, here)
        more = [part.run for part in (radio, reader) if part is not None]
        yield Service(station, checked, publisher, desk, control, more)


async def _ask(publisher: Publisher, request: Request) -> Reply:
    reply = await publisher.ask(request)
    if reply is None:
        raise NoAnswer("the record system does not answer")
    return reply


def _bluetooth(
    settings: Settings, checked: Sequence[Plan], here: Clock, chronicle: Chronicle
) -> "Bluetooth | None":
    addresses = {
        plan.name: ble_address(settings.instruments[plan.name].link)
        for plan in checked
        if scheme_of(settings.instruments[plan.name].link) == BLE
    }
    if not addresses:
        return None
    # Only now: a hub without Bluetooth instruments does not carry the libraries for them.
    from edge.bluetooth import Bluetooth  # noqa: PLC0415

    return Bluetooth(settings.bluetooth, addresses, here, chronicle)


def _reader(settings: Settings, desk: Desk, here: Clock) -> BarcodeReader | None:
    scanner = settings.scanner
    if scanner is None:
        return None
    try:
        line = SerialLine.of(scanner.line)
        scheme = scheme_of(scanner.link)
    except (ValueError, DriverSettingsError) as error:
        raise SettingsError(f"scanner: {error}") from error
    if LinkKind(scheme) not in {LinkKind.SERIAL, LinkKind.TCP}:
        raise SettingsError(f"scanner.link: a reader is reached by serial or tcp, not {scheme}")
    told = {Use.WRISTBAND: scanner.wristband, Use.SLIP: scanner.slip, Use.BADGE: scanner.badge}
    rules = Rules({use: re.compile(form, re.ASCII) for use, form in told.items() if form})
    ends = scanner.prefix.encode("ascii"), scanner.terminator.encode("ascii")
    opener = partial(open_link, scanner.link, line, here.now)
    acts = {Use.WRISTBAND: desk.scan, Use.SLIP: desk.scan, Use.BADGE: desk.sign_in}
    return BarcodeReader(opener, partial(Decoder, *ends), rules, acts, here)


async def _screen(
    station: Station,
    publisher: Publisher,
    radio: "Bluetooth | None",
    reader: BarcodeReader | None,
) -> RoomView:
    """Return the room with both lights: instruments, and the way to the record system."""
    way = publisher.state
    return replace(
        await station.view(),
        record_system=WayView(
            connected=way.connected,
            waiting=way.waiting,
            last_receipt=_time(way.last_receipt),
            alarms=way.alarms,
        ),
        radio=radio.view() if radio else None,
        scanner=reader.view() if reader else None,
    )


def _time(at: Instant | None) -> str | None:
    return None if at is None else utc(at.wall_ns).isoformat(timespec="milliseconds")


@asynccontextmanager
async def _analysis(settings: Settings) -> AsyncIterator[Analysis | None]:
    if not settings.analysis.enabled:
        yield None
        return
    async with Analysis(Limits(memory_mib=settings.analysis.memory_mib)) as analysis:
        yield analysis


def plans(settings: Settings) -> tuple[Plan, ...]:
    """Return every instrument of the settings, checked; SettingsError names the key."""
    links: dict[str, str] = {}
    for name, each in settings.instruments.items():
        same = links.setdefault(each.link.upper(), name)
        if same != name:
            raise SettingsError(
                f"instruments.{name}.link: {each.link} is that of {same} already; give each "
                "instrument a link of its own"
            )
        entry = REGISTRY.get(each.driver)
        if entry is not None and entry.leaves_files and not settings.analysis.enabled:
            raise SettingsError(
                f"instruments.{name}: the files of {each.driver} are read by the analysis process; "
                "set analysis.enabled = true, or remove the instrument"
            )
    space = Space(settings.hub.space)
    return tuple(_plan(name, each, space) for name, each in settings.instruments.items())


def ways(settings: Settings) -> Ways:
    """Return how this service differs from others; its run gets a name of its own."""
    room, clock = settings.room, settings.clock
    return Ways(
        hub=Origin(
            site=settings.hub.site,
            name=settings.hub.name,
            software=f"vitals-edge {version('vitals-edge')}",
            space=Space(settings.hub.space),
        ),
        run=str(uuid.uuid4()),
        policy=Policy(
            confirm=Confirm(room.confirm),
            idle_close_s=room.idle_close_s,
            clock_limit_s=clock.hold_limit_s,
            publish_derived=settings.analysis.publish,
        ),
        retention_s=settings.store.retention_days * DAY_S,
    )


def clock(settings: Settings) -> Clock:
    """Return the clock of a hub."""
    return SystemClock(assume_trusted=settings.clock.trust == "assume")


def endpoint(settings: Settings) -> Endpoint:
    """Return where the broker is and as whom this hub speaks to it."""
    broker = settings.broker
    credentials = None
    if broker.username is not None and broker.password_file is not None:
        credentials = (broker.username, read_secret(broker.password_file))
    return Endpoint(
        host=broker.host,
        port=broker.port,
        client_id=f"{settings.hub.site}.{settings.hub.name}",
        tls=_tls(broker),
        credentials=credentials,
        max_packet_bytes=broker.max_packet_bytes,
    )


def _plan(name: str, settings: Instrument, space: Space) -> Plan:
    key = f"instruments.{name}"
    entry = REGISTRY.get(settings.driver)
    if entry is None:
        known = ", ".join(sorted(REGISTRY))
        raise SettingsError(f"{key}.driver: no driver {settings.driver!r}; there are {known}")
    granted = _granted(key, settings, entry)
    try:
        scheme = _scheme(settings.link, entry, space)
        options = entry.options(settings.options)
        check_network(settings.link, plaintext=settings.plaintext)
        line = SerialLine.of(settings.line) if settings.line else entry.line
    except (DriverSettingsError, ValueError) as error:
        raise SettingsError(f"{key}: {error}") from error
    if LinkKind(scheme) not in entry.links:
        reach = ", ".join(sorted(entry.links))
        raise SettingsError(f"{key}.link: {settings.driver} is reached by {reach}, not {scheme}")
    return Plan(
        name=name,
        driver=settings.driver,
        entry=entry,
        options=options,
        open=_opener(settings.link, entry, options, line, granted),
        granted=granted,
        serial=settings.serial,
    )


def _scheme(link: str, entry: Entry, space: Space) -> str:
    """Return how an instrument is reached; one that is played here stands for a Bluetooth one."""
    scheme = scheme_of(link)
    if scheme != MEMORY:
        return scheme
    if space is not Space.DEMO:
        raise DriverSettingsError(
            f"link {link!r} plays a virtual instrument, which is for the demonstration only "
            'where hub.space is "demo"; give the link of the real instrument'
        )
    if not entry.is_gatt:
        raise DriverSettingsError(f"link {link!r}: only Bluetooth LE instruments are played")
    return LinkKind.BLE


def _granted(key: str, settings: Instrument, entry: Entry) -> frozenset[Write]:
    granted = set()
    for purpose in settings.allow:
        if purpose not in set(entry.writes):
            known = ", ".join(sorted(entry.writes)) or "nothing"
            raise SettingsError(f"{key}.allow: {purpose!r} is not among what it takes: {known}")
        granted.add(Write(purpose))
    return frozenset(granted)


def _opener(
    link: str,
    entry: Entry,
    options: Any,  # noqa: ANN401 - each driver has its own Struct
    line: SerialLine,
    granted: frozenset[Write],
) -> Callable[[Callable[[], Instant]], AbstractAsyncContextManager[AnyLink]]:
    if entry.leaves_files:
        return partial(open_folder, link, options.rules)
    return partial(_open, link, entry, line, granted)


def _open(
    link: str,
    entry: Entry,
    line: SerialLine,
    granted: frozenset[Write],
    now: Callable[[], Instant],
) -> AbstractAsyncContextManager[ByteLink | GattLink]:
    if scheme_of(link) == MEMORY:
        # Here and not above: a hub of a clinic loads no virtual instrument.
        from drivers.virtual.gatt.played import played  # noqa: PLC0415

        return played(entry, Path(link.removeprefix(f"{MEMORY}:")), now, granted)
    return open_link(link, line, now, granted)


def _tls(broker: Broker) -> ssl.SSLContext | None:
    if broker.tls is None:
        return None
    files: Mapping[str, object] = {
        "ca": broker.tls.ca,
        "certificate": broker.tls.certificate,
        "key": broker.tls.key,
    }
    try:
        context = ssl.create_default_context(cafile=broker.tls.ca)
        context.load_cert_chain(broker.tls.certificate, broker.tls.key)
    except (OSError, ssl.SSLError) as error:
        names = ", ".join(f"{key} {path}" for key, path in files.items())
        raise SettingsError(f"broker.tls: {error}; check {names}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
