"""What to do when a radio hears nothing: pure, so that it can be shown and tested.

A radio that looks well and hears nobody is the fault that nobody notices: bluetoothd believes that
it scans and the controller does not. So what counts is what was heard, from anybody: advertisements
and values. After `silence_s` without any, one step after the other, each with time to show:

    restart the scan → switch the adapter off and on → restart bluetoothd → say that nothing helped

and, while it stays silent, from the beginning every `again_s`. A step that would end a connection
waits for its end.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

NS = 1_000_000_000


class Step(StrEnum):
    """A rung, or that the top has been reached, or that something is heard again."""

    RESTART_SCAN = "restart-scan"
    POWER_CYCLE = "power-cycle"
    RESTART_DAEMON = "restart-daemon"
    ALARM = "alarm"
    RECOVERED = "recovered"


ENDS_CONNECTIONS = frozenset({Step.POWER_CYCLE, Step.RESTART_DAEMON})


@dataclass(frozen=True, slots=True)
class Limits:
    """How long to wait, and what may be done."""

    silence_s: float = 300.0
    settle_s: float = 60.0
    again_s: float = 3600.0
    may_power_cycle: bool = True
    may_restart_daemon: bool = False

    @property
    def rungs(self) -> tuple[Step, ...]:
        """The steps that may be taken, in their order."""
        allowed = {
            Step.POWER_CYCLE: self.may_power_cycle,
            Step.RESTART_DAEMON: self.may_restart_daemon,
        }
        steps = (Step.RESTART_SCAN, Step.POWER_CYCLE, Step.RESTART_DAEMON, Step.ALARM)
        return tuple(step for step in steps if allowed.get(step, True))


@dataclass(frozen=True, slots=True)
class Ladder:
    """Where one radio stands: `rung` is the next step, `since_ns` the last one or the beginning."""

    limits: Limits
    since_ns: int
    rung: int = 0
    is_alarmed: bool = False

    def look(
        self, now_ns: int, heard_ns: int | None, *, is_stuck: bool = False, is_busy: bool = False
    ) -> "tuple[Ladder, Step | None]":
        """Return where it stands now, and the step to take.

        `is_stuck`: it cannot even be made to listen, so there is no silence to wait for.
        `is_busy`: a connection is open.
        """
        if heard_ns is not None and heard_ns > self.since_ns and not is_stuck:
            climbed = self.rung > 0 or self.is_alarmed
            return Ladder(self.limits, heard_ns), Step.RECOVERED if climbed else None
        if now_ns - self.since_ns < self._patience_s(is_stuck=is_stuck) * NS:
            return self, None
        rungs = self.limits.rungs
        step = rungs[self.rung]
        if is_busy and step in ENDS_CONNECTIONS:
            return self, None
        alarmed = self.is_alarmed or step is Step.ALARM
        return replace(
            self, since_ns=now_ns, rung=(self.rung + 1) % len(rungs), is_alarmed=alarmed
        ), step

    def _patience_s(self, *, is_stuck: bool) -> float:
        if self.rung > 0:
            return self.limits.settle_s
        if self.is_alarmed:
            return self.limits.again_s
        return self.limits.settle_s if is_stuck else self.limits.silence_s
