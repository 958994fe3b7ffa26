"""How the way to the record system stands, in words for the people in the room."""

from dataclasses import dataclass

from drivers.model import Instant

UNHEARD_ALARM = 3  # results in a row that the broker had nobody to give to


@dataclass(frozen=True, slots=True)
class Standing:
    """What the page shows: `since` is when `connected` last changed, `alarms` are whole sentences.

    `waiting` counts what is in hand; the outbox may hold more. `oldest_s` is how long the oldest of
    them waits in this run of the service. `version` is MQTT's.
    """

    connected: bool
    since: Instant | None
    version: str
    waiting: int
    out: int
    oldest_s: float
    last_receipt: Instant | None
    alarms: tuple[str, ...]


@dataclass(slots=True)
class Troubles:
    """What is wrong at present; each is a sentence, or nothing."""

    link: str = ""
    denied: str = ""
    refusal: str = ""
    nonsense: int = 0
    last_nonsense: str = ""

    def heard_nonsense(self, where: str, why: str) -> None:
        """Count a message that could not be understood; `why` quotes nothing of it."""
        self.nonsense += 1
        self.last_nonsense = f"{where}: {why}"

    def sentences(self) -> tuple[str, ...]:
        """Return what to tell people, the gravest first."""
        told = [self.link, self.denied, self.refusal]
        if self.nonsense:
            told.append(
                f"{self.nonsense} messages of the record system could not be understood "
                f"(last: {self.last_nonsense}); see that it keeps to the contract"
            )
        return tuple(sentence for sentence in told if sentence)


def unheard(times: int) -> str:
    """Return what to say when nobody receives the results."""
    if times < UNHEARD_ALARM:
        return ""
    return (
        f"the last {times} results reached the broker, but no record system is subscribed to it; "
        "they are kept and sent again"
    )


def silent(out: int, quiet_s: float, patience_s: float) -> str:
    """Return what to say when results are out and nothing comes back."""
    if not out or quiet_s < patience_s:
        return ""
    return (
        f"the record system has not answered for {quiet_s:.0f} s, {out} results are out; they are "
        "kept and sent again"
    )


def no_receipts(topics: tuple[str, ...]) -> str:
    """Return what to say when the broker does not let the hub hear its record system."""
    return (
        f"the broker refuses this hub the subscription to {', '.join(topics)}, so no receipt could "
        "arrive and nothing is sent; correct the broker's access list"
    )


def no_birth(code: int) -> str:
    """Return what to say when the broker does not let the hub speak for itself."""
    return (
        f"the broker refuses this hub its own status topic (code {code}), so nothing is sent; "
        "correct the broker's access list or the hub's certificate"
    )


def paused(seconds: float) -> str:
    """Return what to say while the broker takes no more."""
    if seconds <= 0:
        return ""
    return f"the broker's quota for this hub is used up; the next attempt is in {seconds:.0f} s"


def ended(reason: str, where: str) -> str:
    """Return what to say when the broker cannot be reached."""
    return f"no connection to the broker at {where} ({reason}); results are kept until there is one"
