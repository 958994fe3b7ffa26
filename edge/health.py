"""How one instrument is, from what was heard: pure; the supervisor tells it what happens.

state             when
absent            nothing at the address, or the link was lost
awaited           a Bluetooth instrument that is not heard now: it calls when it has measured
opening           the link is being opened
silent            open, and nothing is heard; whether that is as it should be, the reason says
streaming         frames of the configured instrument arrive
wrong-instrument  another answers, or what arrives is no frame of it: wrong baud, parity, driver
refused           the system does not let us: permission, port in use, settings, full store

A stream is judged by its own rhythm, which the registry knows, not by the port being open: it has
stalled when three reports and two seconds have passed without a frame.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from drivers.model import Chunk, Instant
from drivers.registry import Entry
from drivers.tally import Tally
from edge.diagnosis import NOISE_BYTES, why_nothing, why_some

_ON_THE_CABLE = "is on and its cable sits"

PortErrors = Callable[[], Mapping[str, int]]

NS = 1_000_000_000
MISSED_REPORTS = 3
GRACE_S = 2.0  # for a busy machine
SPOT_S = 10.0  # how long an instrument without a rhythm counts as speaking
STREAM_FRAMES = 3  # in rhythm, before a pause is a stream that stopped
WINDOW_S = 30.0  # over which the quality of a line is judged


class LinkState(StrEnum):
    """What an instrument does, from what was heard, not from what is configured."""

    ABSENT = "absent"
    AWAITED = "awaited"  # it calls when it has something to say, and sleeps in between
    OPENING = "opening"
    SILENT = "silent"
    STREAMING = "streaming"
    WRONG = "wrong-instrument"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Seen:
    """A state and why, in words for whoever has to do something about it."""

    state: LinkState
    reason: str = ""


def _none() -> Mapping[str, int]:
    return {}


@dataclass(slots=True)
class Session:
    """What was heard since a link was opened; `errors` asks the port for what it counted itself."""

    tally: Tally
    errors: PortErrors
    opened_ns: int
    frame_ns: int | None = None
    lost_ns: int | None = None  # when the first byte after the last frame was skipped
    in_rhythm: int = 0
    judged_ns: int = 0
    damage: str = ""
    nonsense: str = ""


@dataclass(slots=True)
class Health:
    """What is known of a link; `counts` are of the whole run of the service."""

    driver: str
    entry: Entry
    state: LinkState = LinkState.ABSENT
    reason: str = ""
    heard_mono_ns: int | None = None
    counts: Counter[str] = field(default_factory=Counter)
    session: Session | None = None
    by_radio: bool = False

    @property
    def limit_s(self) -> float:
        """Return how long it may be quiet before it counts as silent."""
        rhythm_s = self.entry.rhythm_s
        return SPOT_S if rhythm_s is None else MISSED_REPORTS * rhythm_s + GRACE_S

    def opened(self, now: Instant, errors: PortErrors = _none) -> None:
        """Begin a session on an open link."""
        at = now.mono_ns
        self.session = Session(Tally.of(self.entry), errors, at, judged_ns=at)
        self.counts["sessions"] += 1
        self.become(LinkState.SILENT)

    def become(self, state: LinkState, reason: str = "") -> None:
        """Take a state that does not come from what is heard."""
        self.state, self.reason = state, reason

    def heard(self, chunk: Chunk, now: Instant) -> None:
        """Count what came in."""
        session = self.session
        if session is None:
            return
        self.heard_mono_ns = now.mono_ns
        tally = session.tally
        had = Counter(skipped_bytes=tally.skipped, broken=tally.broken, missing=tally.missing)
        frames = tally.hear(chunk.data, chunk.channel)
        has = Counter(skipped_bytes=tally.skipped, broken=tally.broken, missing=tally.missing)
        self.counts.update(has - had)
        self.counts.update(frames=frames, bytes=len(chunk.data))
        if frames:
            self._framed(session, now.mono_ns)
        if not tally.lost:
            session.lost_ns = None
        elif session.lost_ns is None:
            session.lost_ns = now.mono_ns
        self._judge(session, now.mono_ns)

    def seen_at(self, now: Instant) -> Seen:
        """Return how it is now: what was last said of the link, seen by what is heard on it."""
        session = self.session
        if session is None or self.state not in {LinkState.SILENT, LinkState.STREAMING}:
            return Seen(self.state, self.reason)
        if self._within(session.frame_ns, now):
            return Seen(LinkState.STREAMING, session.damage)
        if self._is_nonsense(session, now):
            if not session.nonsense:
                session.nonsense = why_nothing(self.driver, session.tally, session.errors())
            return Seen(LinkState.WRONG, f"not understood: {session.nonsense}")
        return Seen(LinkState.SILENT, self._why_silent(session, now))

    def _framed(self, session: Session, at: int) -> None:
        kept = session.frame_ns is not None and at - session.frame_ns <= self.limit_s * NS
        session.in_rhythm = session.in_rhythm + 1 if kept else 1
        session.frame_ns, session.nonsense = at, ""
        self.state = LinkState.STREAMING

    def _judge(self, session: Session, at: int) -> None:
        """Say now and then what damages the stream, and look anew at what is not understood."""
        if at - session.judged_ns < WINDOW_S * NS:
            return
        session.judged_ns, session.nonsense = at, ""
        session.damage = why_some(session.tally, session.errors()) if session.tally.frames else ""
        session.tally.restart()

    def _is_nonsense(self, session: Session, now: Instant) -> bool:
        """Tell whether bytes have come for a while, more than the end of a frame begun before."""
        return (
            session.tally.lost >= NOISE_BYTES
            and session.lost_ns is not None
            and now.mono_ns - session.lost_ns > self.limit_s / 2 * NS
            and self._within(self.heard_mono_ns, now)
        )

    def _why_silent(self, session: Session, now: Instant) -> str:
        every_s = self.entry.rhythm_s
        if every_s is None or session.in_rhythm in range(1, STREAM_FRAMES):
            return ""  # it speaks when it has measured
        if session.in_rhythm:
            return (
                f"the stream stopped: no report for {self.limit_s:.0f} s and more; look whether "
                f"the instrument {'measures and is near' if self.by_radio else _ON_THE_CABLE}"
            )
        if now.mono_ns - session.opened_ns <= self.limit_s * NS:
            return ""
        if self.by_radio:
            return "it is connected and sends nothing; look whether it measures, and its battery"
        return (
            "the port is open and nothing is heard; switch the instrument and its output on, and "
            "check the cable (null-modem or straight)"
        )

    def _within(self, at: int | None, now: Instant) -> bool:
        return at is not None and now.mono_ns - at <= self.limit_s * NS
