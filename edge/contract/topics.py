"""The topic tree ``exam/v1/{site}/{hub}/...``: one table builds, parses and describes it.

channel         levels below the hub        written by      QoS  retained
status          status                      hub             1    yes
device-status   device/{device}/status      hub             1    yes
result          result/{kind}               hub             1    no
event           event/{kind}                hub             1    no
live            live/{device}/{signal}      hub             0    no
request         request/{kind}              hub             1    no
ack             ack                         record system   1    no
command         cmd/{name}                  record system   1    no
reply           reply/{kind}                record system   1    no

A level is made of ``a-z``, ``0-9`` and ``-``. So nothing in a topic can be a wildcard, and a
patient's name or number has no place to be written by mistake: every last level is from a closed
list, except the names that the site gave its hub, its instruments and their signals.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from drivers.model import Kind

ROOT = "exam/v1"
ANY = "+"
LEVEL_CHARS = 64  # X.509 ub-common-name: the hub's level is the common name of its certificate

_LEVEL = re.compile(rf"[a-z0-9-]{{1,{LEVEL_CHARS}}}")


class TopicError(ValueError):
    """A topic or a level of one that the contract does not know."""


class Writer(StrEnum):
    """Which side publishes on a channel; the broker refuses the other."""

    HUB = "hub"
    RECORD_SYSTEM = "record system"


class EventKind(StrEnum):
    """What a hub reports besides results; no message of it says anything about a patient."""

    REJECTED_READING = "rejected-reading"
    QUARANTINE = "quarantine"
    FILE_SET_ASIDE = "file-set-aside"
    RADIO_ALARM = "radio-alarm"
    RADIO_RECOVERED = "radio-recovered"
    CLOCK_FAULT = "clock-fault"
    RESULT_REFUSED = "result-refused"
    RESULT_PARKED = "result-parked"


class CommandName(StrEnum):
    """What a record system may ask of a hub."""

    ASSIGN_PATIENT = "assign-patient"
    CLOSE = "close"
    RESEND = "resend"


class RequestKind(StrEnum):
    """What a hub may ask of the record system."""

    PATIENT = "patient"
    ROOM_LIST = "room-list"
    WORKLIST = "worklist"
    OPERATOR = "operator"


class Channel(StrEnum):
    """One kind of traffic between hub and record system."""

    STATUS = "status"
    DEVICE_STATUS = "device-status"
    RESULT = "result"
    EVENT = "event"
    LIVE = "live"
    REQUEST = "request"
    ACK = "ack"
    COMMAND = "command"
    REPLY = "reply"


@dataclass(frozen=True, slots=True)
class Shape:
    """How a channel's topics look: `levels` below the hub, the variable ones in braces."""

    levels: tuple[str, ...]
    writer: Writer
    qos: int = 1
    retained: bool = False
    closed: type[StrEnum] | None = None  # the list that the variable level is from

    @property
    def variables(self) -> tuple[str, ...]:
        """Return the names of the variable levels, in order."""
        return tuple(level[1:-1] for level in self.levels if level.startswith("{"))


SHAPES = {
    Channel.STATUS: Shape(("status",), Writer.HUB, retained=True),
    Channel.DEVICE_STATUS: Shape(("device", "{device}", "status"), Writer.HUB, retained=True),
    Channel.RESULT: Shape(("result", "{kind}"), Writer.HUB, closed=Kind),
    Channel.EVENT: Shape(("event", "{kind}"), Writer.HUB, closed=EventKind),
    Channel.LIVE: Shape(("live", "{device}", "{signal}"), Writer.HUB, qos=0),
    Channel.REQUEST: Shape(("request", "{kind}"), Writer.HUB, closed=RequestKind),
    Channel.ACK: Shape(("ack",), Writer.RECORD_SYSTEM),
    Channel.COMMAND: Shape(("cmd", "{name}"), Writer.RECORD_SYSTEM, closed=CommandName),
    Channel.REPLY: Shape(("reply", "{kind}"), Writer.RECORD_SYSTEM, closed=RequestKind),
}


@dataclass(frozen=True, slots=True)
class Address:
    """A topic, taken apart; `names` are its variable levels. ``str()`` is the topic itself."""

    site: str
    hub: str
    channel: Channel
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_level("site", self.site)
        check_level("hub", self.hub)
        shape = SHAPES[self.channel]
        if len(self.names) != len(shape.variables):
            raise TopicError(
                f"{self.channel}: takes {shape.variables or 'no names'}, not {self.names}"
            )
        for variable, name in zip(shape.variables, self.names, strict=True):
            check_level(variable, name)
            if shape.closed is not None and name not in set(shape.closed):
                raise TopicError(f"{self.channel}: {name!r} is none of {', '.join(shape.closed)}")

    def __str__(self) -> str:
        return _join(self.site, self.hub, SHAPES[self.channel], self.names)


@dataclass(frozen=True, slots=True)
class Hub:
    """One hub's part of the tree; refuses names that are not single levels."""

    site: str
    hub: str

    def __post_init__(self) -> None:
        check_level("site", self.site)
        check_level("hub", self.hub)

    @property
    def status(self) -> str:
        """Birth, will and orderly end."""
        return self._topic(Channel.STATUS)

    @property
    def ack(self) -> str:
        """Receipts of the record system."""
        return self._topic(Channel.ACK)

    def result(self, kind: Kind) -> str:
        """Results of one kind."""
        return self._topic(Channel.RESULT, kind)

    def device_status(self, device: str) -> str:
        """One instrument's presence."""
        return self._topic(Channel.DEVICE_STATUS, device)

    def event(self, kind: EventKind) -> str:
        """Notices of one kind."""
        return self._topic(Channel.EVENT, kind)

    def live(self, device: str, signal: str) -> str:
        """Previews that nobody files."""
        return self._topic(Channel.LIVE, device, signal)

    def command(self, name: CommandName) -> str:
        """Commands of one name."""
        return self._topic(Channel.COMMAND, name)

    def request(self, kind: RequestKind) -> str:
        """Questions of one kind."""
        return self._topic(Channel.REQUEST, kind)

    def reply(self, kind: RequestKind) -> str:
        """Answers to one kind of question."""
        return self._topic(Channel.REPLY, kind)

    def subscriptions(self) -> tuple[str, ...]:
        """Return the filters a hub subscribes to: all that the record system writes to it."""
        return tuple(
            subscription(channel, self.site, self.hub)
            for channel, shape in SHAPES.items()
            if shape.writer is Writer.RECORD_SYSTEM
        )

    def _topic(self, channel: Channel, *names: str) -> str:
        return _built(self.site, self.hub, channel, names)


@lru_cache(maxsize=1024)  # a hub uses few topics, each of them often
def _built(site: str, hub: str, channel: Channel, names: tuple[str, ...]) -> str:
    return str(Address(site, hub, channel, names))


@lru_cache(maxsize=1024)
def parse(topic: str) -> Address:
    """Take a topic apart; raises `TopicError` for one that is not of the contract."""
    prefix, *levels = topic.split(f"{ROOT}/", 1)
    if prefix or not levels:
        raise TopicError(f"topic {topic!r}: does not begin with {ROOT}/")
    site, _, rest = levels[0].partition("/")
    hub, _, rest = rest.partition("/")
    parts = rest.split("/")
    for channel, shape in SHAPES.items():
        if len(parts) != len(shape.levels):
            continue
        pairs = list(zip(shape.levels, parts, strict=True))
        if all(level in ("{" + level[1:-1] + "}", part) for level, part in pairs):
            names = tuple(part for level, part in pairs if level.startswith("{"))
            return Address(site, hub, channel, names)
    raise TopicError(f"topic {topic!r}: no channel of the contract")


def subscription(channel: Channel, site: str = ANY, hub: str = ANY) -> str:
    """Return the filter for all of a channel, of one hub or of all that a record system serves."""
    for what, level in (("site", site), ("hub", hub)):
        if level != ANY:
            check_level(what, level)
    shape = SHAPES[channel]
    return _join(site, hub, shape, (ANY,) * len(shape.variables))


def check_level(what: str, name: str) -> None:
    """Raise `TopicError` unless the name can be one level of a topic."""
    if not _LEVEL.fullmatch(name):
        raise TopicError(
            f"{what} {name!r}: use 1 to {LEVEL_CHARS} of the characters a-z, 0-9 and '-'; "
            "it becomes one level of an MQTT topic"
        )


def _join(site: str, hub: str, shape: Shape, names: tuple[str, ...]) -> str:
    remaining = iter(names)
    levels = (next(remaining) if level.startswith("{") else level for level in shape.levels)
    return "/".join((ROOT, site, hub, *levels))
