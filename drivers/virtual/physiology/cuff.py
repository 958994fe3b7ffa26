"""What a cuff sees while it lets its air out: a pressure at each pulse, and how far it swings.

The swing is greatest at the mean pressure and falls to 0.55 of that at the systolic pressure, to
0.82 at the diastolic (Geddes et al. 1982, Ann Biomed Eng 10:271), as a bell on either side. So an
instrument that applies these ratios finds the truth, and the truth is the patient's own.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

from drivers.virtual.physiology.circulation import Circulation
from drivers.virtual.physiology.signals import Topic, chance

SYSTOLIC_RATIO = 0.55
DIASTOLIC_RATIO = 0.82
INFLATION_MMHG_PER_S = 30.0
STEP_MMHG = 6.0
PULSES_A_STEP = 2
STEP_S_AT_MOST = 3.0  # a step without pulses is left
SWING_MMHG = 2.6
_ABOVE_MMHG = 35.0
_BELOW_MMHG = 25.0
_LEAST_TOP_MMHG = 150.0
_LEAK_PER_S = 0.35
_IRREGULAR = 0.15  # spread of intervals in parts of their mean


@dataclass(frozen=True, slots=True)
class CuffPulse:
    """One pulse under the cuff."""

    at_s: float
    cuff_mmhg: float
    swing_mmhg: float


@dataclass(frozen=True, slots=True)
class Deflation:
    """One measurement from the first stroke of the pump until the cuff is empty.

    The truth is that of the moment of the mean pressure. `leaked` says that the air went by itself
    too fast for any result; `moved` that some pulses are not the heart's.
    """

    begin_s: float
    top_s: float
    end_s: float
    steps: tuple[tuple[float, float], ...]  # begin in seconds, mmHg held from then on
    pulses: tuple[CuffPulse, ...]
    systolic: float
    diastolic: float
    mean: float
    pulse_rate: float | None
    irregular: bool
    leaked: bool
    moved: bool

    def pressure(self, at_s: float) -> float:
        """Return what the cuff holds at a moment, mmHg, 0 before and after."""
        if not self.begin_s <= at_s < self.end_s:
            return 0.0
        if at_s < self.top_s:
            return (at_s - self.begin_s) * INFLATION_MMHG_PER_S
        held = max(step for step in self.steps if step[0] <= at_s)
        return held[1] * (math.exp(-_LEAK_PER_S * (at_s - held[0])) if self.leaked else 1.0)


def deflation(
    seed: int,
    circulation: Circulation,
    begin_s: float,
    *,
    leaks: bool,
    step_mmhg: float = STEP_MMHG,
) -> Deflation:
    """Let a cuff measure from `begin_s` on; with larger steps it is done sooner."""
    systolic, diastolic, _ = circulation.pressures(begin_s)
    top = max(_LEAST_TOP_MMHG, systolic + _ABOVE_MMHG)
    top_s = begin_s + top / INFLATION_MMHG_PER_S
    if leaks:
        # What a pump cannot hold it gives up on when half of it is gone.
        end_s = top_s + math.log(2) / _LEAK_PER_S
        return _result(circulation, (begin_s, top_s, end_s), ((top_s, top),), (), leaked=True)
    steps: list[tuple[float, float]] = []
    moments: list[tuple[float, float]] = []
    now, held = top_s, top
    while held > diastolic - _BELOW_MMHG:
        steps.append((now, held))
        seen = [
            pulse.foot_s
            for pulse in circulation.pulses(now - 1.0, now + STEP_S_AT_MOST)
            if pulse.felt and now <= pulse.foot_s < now + STEP_S_AT_MOST
        ][:PULSES_A_STEP]
        moments += [(at_s, held) for at_s in seen]
        now = seen[-1] + 0.3 if len(seen) == PULSES_A_STEP else now + STEP_S_AT_MOST
        held -= step_mmhg
    draw = chance(seed, Topic.CUFF, round(begin_s * 1000))
    middle = circulation.pressures((top_s + now) / 2)
    pulses = []
    for at_s, cuff in moments:
        noise = float(draw.normal(0, 0.5 if circulation.is_moving(at_s) else 0.004))
        pulses.append(CuffPulse(at_s, cuff, abs(SWING_MMHG * (_bell(cuff, middle) + noise))))
    return _result(circulation, (begin_s, top_s, now), tuple(steps), tuple(pulses), leaked=False)


def _result(
    circulation: Circulation,
    moments: tuple[float, float, float],
    steps: tuple[tuple[float, float], ...],
    pulses: tuple[CuffPulse, ...],
    *,
    leaked: bool,
) -> Deflation:
    begin_s, top_s, end_s = moments
    systolic, diastolic, mean = circulation.pressures((top_s + end_s) / 2)
    feet = [pulse.foot_s for pulse in circulation.pulses(top_s, end_s) if pulse.felt]
    gaps = [late - early for early, late in pairwise(feet)]
    average = math.fsum(gaps) / len(gaps) if gaps else None
    spread = max((abs(gap - average) for gap in gaps), default=0.0) if average else 0.0
    return Deflation(
        begin_s=begin_s,
        top_s=top_s,
        end_s=end_s,
        steps=steps,
        pulses=pulses,
        systolic=systolic,
        diastolic=diastolic,
        mean=mean,
        pulse_rate=60 / average if average else None,
        irregular=bool(average) and spread > _IRREGULAR * (average or 0.0),
        leaked=leaked,
        moved=any(circulation.is_moving(pulse.at_s) for pulse in pulses),
    )


def _bell(cuff: float, pressures: tuple[float, float, float]) -> float:
    """Return the swing at a cuff pressure in parts of the greatest."""
    systolic, diastolic, mean = pressures
    if cuff >= mean:
        width = (systolic - mean) / math.sqrt(-2 * math.log(SYSTOLIC_RATIO))
    else:
        width = (mean - diastolic) / math.sqrt(-2 * math.log(DIASTOLIC_RATIO))
    return math.exp(-0.5 * ((cuff - mean) / width) ** 2)
