"""How near the onsets, peaks and ends of P, QRS and T are to those that experts marked; and peers.

LUDB: lead II, mean and SD over all marks. QTDB (q1c): mean of the record means and mean of the
record SDs, of two leads the nearer for each mark. Peers measure the same samples in the same run.
Presence counts what lies between the first and the last marked QRS complex. Intervals are those of
the twelve leads. What the constants gain from having been chosen here: `benchmarks.wave_halves`.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.peers.environment import Peers, peers
from benchmarks.report import Report
from benchmarks.wave_halves import OfRecord, held_out, measured
from benchmarks.wave_intervals import compare
from benchmarks.wave_marks import (
    LEAD_II,
    POINTS,
    Errors,
    Marked,
    Points,
    Presence,
    errors,
    found_by_us,
    ludb,
    presence,
    qtdb,
)
from benchmarks.wave_pictures import drawn, worst_beats

OURS = "vitals-edge"
LUDB_PEERS = ("neurokit2 dwt", "neurokit2 cwt", "neurokit2 prominence")
QTDB_PEERS = ("neurokit2 dwt", "neurokit2 prominence")
AIMS = (
    ("LUDB must (SD)", ("19", "", "16", "12", "18", "22", "26")),
    ("LUDB aim (SD)", ("13", "", "15", "9", "12", "16", "20")),
    ("QTDB must (SD)", ("13", "", "12", "7.7", "8.7", "11.9", "17.5")),
    ("QTDB aim (SD)", ("11", "", "11", "7", "8", "9", "15")),
)

PICTURES = 10

Row = Callable[[Sequence[Errors]], str]
Answers = dict[str, list[list[Points]]]


def run(report: Report) -> None:
    """Measure on the recordings that `VITALS_EDGE_DATA` names."""
    folder = os.environ.get("VITALS_EDGE_DATA")
    if not folder:
        report.say("VITALS_EDGE_DATA names no folder: nothing to measure on.")
        return
    twelve, two = list(ludb(Path(folder))), list(qtdb(Path(folder)))
    with peers("waves_worker.py") as others:
        answers = _answers(others, twelve, LUDB_PEERS)
        report.say(f"LUDB lead II, {len(twelve)} recordings: ms, mean ± SD [share found, %]")
        ours, theirs = _ours(twelve), _theirs(twelve, answers)
        _points_table(report, pooled, ours, theirs)
        _where_found(report, ours[OURS], theirs)
        report.say(
            f"QTDB, {len(two)} recordings: ms, mean of record means (mean of record SDs) "
            "[share found, %]"
        )
        _points_table(
            report, by_record, _ours(two), _theirs(two, _answers(others, two, QTDB_PEERS))
        )
    report.table(("asked for", *POINTS), [(name, *values) for name, values in AIMS])
    _presence_table(report, twelve, answers)
    _all_leads(report, twelve)
    _intervals(report, twelve)
    _record_by_record(report, twelve)
    _pictures(report, twelve, two)


def _ours(records: Sequence[Marked]) -> dict[str, list[OfRecord]]:
    """Return the errors as shipped, of either half, and with constants from the other half."""
    shipped = measured(records)
    return {
        OURS: shipped,
        "  every other recording": shipped[0::2],
        "  the rest": shipped[1::2],
        "  constants chosen on the other half": held_out(records),
    }


def _answers(others: Peers, records: Sequence[Marked], names: Sequence[str]) -> Answers:
    """Return what each peer finds in each recording, lead by lead; nothing where it fails."""
    nothing = [dict.fromkeys(POINTS, ())]
    found: Answers = {name: [] for name in names}
    for record in records:
        others.load(record.ecg[_scored(record)])
        for name in names:
            leads = others.reply(name, record.fs).get("leads") or nothing
            found[name].append(
                [{point: np.array(at, dtype=float) for point, at in lead.items()} for lead in leads]
            )
    return found


def _scored(record: Marked) -> list[int]:
    """Return the leads that are compared with the marks: II of twelve, or both of two."""
    return [LEAD_II] if len(record.marks) > 1 else list(range(len(record.ecg)))


def _theirs(records: Sequence[Marked], answers: Answers) -> dict[str, list[OfRecord]]:
    """Return the errors of the peers; one that fails on a recording has missed its marks."""
    return {
        name: [
            errors(record.marks[_scored(record)[0]], one, record.fs)
            for record, one in zip(records, found, strict=True)
        ]
        for name, found in answers.items()
    }


def _points_table(
    report: Report,
    row: Row,
    ours: Mapping[str, Sequence[OfRecord]],
    theirs: Mapping[str, Sequence[OfRecord]],
) -> None:
    lines = [
        (name, *(row([one[point] for one in every]) for point in POINTS))
        for name, every in (*ours.items(), *theirs.items())
    ]
    report.table(("", *POINTS), lines)


def _where_found(
    report: Report, ours: Sequence[OfRecord], theirs: Mapping[str, Sequence[OfRecord]]
) -> None:
    """Say how far ours lies from those marks alone that a peer has found."""
    rows = []
    for name, every in theirs.items():
        cells = []
        for point in POINTS:
            pairs = [(a[point], b[point]) for a, b in zip(ours, every, strict=True)]
            away = np.concatenate([mine.each[mine.near & their.near] for mine, their in pairs])
            cells.append(f"{away.mean():+.1f} ± {away.std():.1f}")
        rows.append((f"where {name} finds it", *cells))
    report.say("Ours, of those marks alone that a peer finds as well:")
    report.table(("", *POINTS), rows)


def _presence_table(report: Report, records: Sequence[Marked], answers: Answers) -> None:
    """Say how many waves are found, and how many that are not there, in lead II."""
    rows = []
    ours = [found_by_us(record, (LEAD_II,)) for record in records]
    for name, found in ((OURS, ours), *answers.items()):
        shares = []
        for wave in ("P", "T"):
            total = Presence(0, 0, 0)
            for record, one in zip(records, found, strict=True):
                total += presence(record.marks[LEAD_II], one[0], wave, record.fs)
            shares += [f"{total.sensitivity:.1f}", f"{total.precision:.1f}"]
        rows.append((name, *shares))
    report.say("Waves present, LUDB lead II:")
    report.table(("", "P Se %", "P +P %", "T Se %", "T +P %"), rows)


def _all_leads(report: Report, records: Sequence[Marked]) -> None:
    every: list[OfRecord] = []
    for record in records:
        found = found_by_us(record, range(len(record.ecg)))
        every += [
            errors(marked, [one], record.fs)
            for marked, one in zip(record.marks, found, strict=True)
        ]
    report.say("LUDB, all twelve leads, ours: ms, mean ± SD [share found, %]")
    report.table(POINTS, [[pooled([one[point] for one in every]) for point in POINTS]])


def _intervals(report: Report, records: Sequence[Marked]) -> None:
    """Say how far the global intervals are from those that the marks give."""
    result = compare(records)
    report.say(
        "Global intervals of LUDB, ours minus those of the marks of all leads read in the same "
        f"way, ms. Of {result.without_p} recordings without a P wave in any lead, "
        f"{result.p_said_all_the_same} were given one."
    )
    report.table(
        ("interval", "recordings", "mean", "SD", "median", "5 %", "95 %", "largest"),
        [
            (
                name.removesuffix("_ms").upper(),
                away.size,
                f"{away.mean():+.1f}",
                f"{away.std():.1f}",
                *(f"{value:+.1f}" for value in np.quantile(away, (0.5, 0.05, 0.95))),
                f"{np.abs(away).max():.0f}",
            )
            for name, away in result.differences.items()
        ],
    )


def _record_by_record(report: Report, records: Sequence[Marked]) -> None:
    """Say how every recording of LUDB fares in lead II, the worst first."""
    rows = []
    for record, one in zip(records, measured(records), strict=True):
        every = np.concatenate([one[point].ms for point in POINTS])
        missed = sum(one[point].missed for point in POINTS)
        each = [
            np.sqrt(np.square(one[point].ms).mean()) if one[point].ms.size else 0.0
            for point in POINTS
        ]
        size = float(np.sqrt(np.square(every).mean()))
        rows.append((size, (record.name, missed, *(f"{rms:.0f}" for rms in each))))
    rows.sort(key=lambda row: -row[0])
    report.say("LUDB lead II, record by record: points missed, root mean square error in ms.")
    report.table(("record", "missed", *POINTS), [row for _, row in rows])


def _pictures(report: Report, twelve: Sequence[Marked], two: Sequence[Marked]) -> None:
    report.say("The beats with the worst points, one a recording:")
    worst = worst_beats("LUDB lead II", twelve, PICTURES // 2)
    worst += worst_beats("QTDB", two, PICTURES // 2)
    for nth, beat in enumerate(worst):
        report.picture(beat.title, f"delineation-{nth}.svg", drawn(beat))


def pooled(of_records: Sequence[Errors]) -> str:
    """Write mean and SD over all marks, and the share found."""
    every = np.concatenate([one.ms for one in of_records])
    return f"{every.mean():+.1f} ± {every.std():.1f} [{_share(of_records)}]"


def by_record(of_records: Sequence[Errors]) -> str:
    """Write the mean of the record means, the mean of the record SDs, and the share found."""
    each = [one.ms for one in of_records if one.ms.size > 1]
    means, spreads = [ms.mean() for ms in each], [ms.std(ddof=1) for ms in each]
    return f"{np.mean(means):+.1f} ({np.mean(spreads):.1f}) [{_share(of_records)}]"


def _share(of_records: Sequence[Errors]) -> str:
    found, missed = sum(one.ms.size for one in of_records), sum(one.missed for one in of_records)
    return f"{100 * found / max(1, found + missed):.1f}"
