"""The record system as a program: takes what arrives, files it, answers, watches its register."""

import logging
import signal
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from drivers.errors import SettingsError
from edge.clock import SystemClock
from edge.record.clerk import Clerk, Message
from edge.record.filing import Filing
from edge.record.mqtt import Broker, Connection
from edge.record.register import load

AT_ONCE = 200
WAIT_S = 0.5  # between looks at the register file and at the wish to stop

log = logging.getLogger(__name__)

Twist = Callable[[Sequence[Message]], Sequence[Message]]


@dataclass(frozen=True, slots=True)
class Options:
    """How a record system is run."""

    broker: Broker
    store: Path
    register: Path
    client_id: str
    group: str | None
    accept_demo: bool


def serve(options: Options, twist: Twist | None = None) -> None:
    """Run until SIGTERM or SIGINT; `twist` changes what is answered, for tests of hubs only."""
    watched = _Watched(options.register)
    register = load(options.register)
    filing = Filing(options.store)
    try:
        clerk = Clerk(filing, register, SystemClock(), accept_demo=options.accept_demo)
        connection = Connection(options.broker, options.client_id, options.group)
        stop = _stop_on_signals()
        connection.start()
        try:
            connection.send(clerk.use(register))
            while not stop.is_set():
                _turn(connection, clerk, watched, twist)
        except sqlite3.Error as error:
            raise SettingsError(f"record {options.store} cannot be read: {error}") from error
        finally:
            connection.stop()
    finally:
        filing.close()


def _turn(connection: Connection, clerk: Clerk, watched: "_Watched", twist: Twist | None) -> None:
    arrived = connection.take(AT_ONCE, WAIT_S)
    answers: Sequence[Message] = clerk.handle([each.message for each in arrived])
    connection.send(twist(answers) if twist else answers)
    connection.acknowledge(arrived)
    if not watched.changed():
        return
    try:
        register = load(watched.path)
    except SettingsError as error:
        log.error("%s; going by the one before", error)  # noqa: TRY400 - a slip of a person, no fault here
        return
    log.info("the register has changed")
    connection.send(clerk.use(register))


class _Watched:
    """A file, and whether it is another one than at the last look."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen = self._look()

    def changed(self) -> bool:
        now = self._look()
        changed, self._seen = now != self._seen, now
        return changed

    def _look(self) -> tuple[int, int, int] | None:
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns


def _stop_on_signals() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    return stop
