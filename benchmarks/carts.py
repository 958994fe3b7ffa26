"""Files of ECG carts: our SCP-ECG reader and writer beside others, and the analysis process.

Reader and writer: all contestants once in every round, in turn, processor time; ratios are medians
over the rounds. The floor of reading is to make float64 microvolts of plain 16-bit samples, that of
writing to make plain 16-bit samples of them, each the very same samples. ecgdatakit (no writer) and
biosig, where it is installed, run in an environment of their own. The analysis process: from its
start to its first answer, its memory, and a file's way from its bytes to what is durable, and from
there to four Bundles, on a store on a real disk.
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.peers.environment import peers
from benchmarks.report import Report, median_ratio
from drivers.formats import read_ecg
from drivers.formats.scp_writer import encode
from drivers.model import CartClock, EcgFile, EcgRecording
from drivers.registry import Memory
from drivers.virtual.ecg_cart import VirtualEcgCart
from edge.analysis import Analysis, AnalysisFailed, Limits
from edge.chronicle import Chronicle
from edge.clock import SystemClock
from edge.observation import Moment
from edge.receiving import Receiving
from edge.store import Store
from edge.study import Origins

ROUNDS = 9
STUDIES = 15
STARTS = 3
FLOOR, OURS, OTHERS = "floor", "vitals-edge", ("ecgdatakit", "biosig")
EXAMPLE = "carts/scp/Example.scp"


def run(report: Report) -> None:
    """Report reader, writer and process."""
    data = _file()
    recording = read_ecg(data)
    leads, samples = recording.microvolts.shape
    report.say(
        f"One file, {len(data)} bytes: {leads} leads, {samples} samples, second differences, "
        f"Huffman codes. {ROUNDS} rounds in turn, processor time, one thread."
    )
    _readers(report, data, recording)
    _writers(report, recording)
    asyncio.run(_process(report))


def _file() -> bytes:
    """Return a real cart's file where there is one, else the virtual cart's."""
    folder = os.environ.get("VITALS_EDGE_DATA")
    real = Path(folder) / EXAMPLE if folder else None
    if real is not None and real.exists():
        return real.read_bytes()
    return VirtualEcgCart(1).due(30.0)[0]


def _readers(report: Report, data: bytes, recording: EcgRecording) -> None:
    plain = _plain(recording)

    def floor() -> None:
        np.frombuffer(plain, "<i2").reshape(recording.microvolts.shape).astype(np.float64)

    ours: dict[str, Callable[[], object]] = {FLOOR: floor, OURS: lambda: read_ecg(data)}
    seconds: dict[str, list[float]] = {name: [] for name in ours}
    said = dict.fromkeys(OTHERS, "")
    with peers("carts_worker.py", "requirements-carts.txt") as others:
        others.load(np.frombuffer(data, np.uint8))
        for number in range(ROUNDS + 1):
            for name, work in ours.items():
                _take(seconds, name, _seconds(work), number)
            for name in OTHERS:
                reply = others.reply(name, recording.fs)
                said[name] = reply.get("error", "") or _compared(reply["sums"], recording)
                if "seconds" in reply:
                    _take(seconds, name, reply["seconds"], number)
    report.table(
        ("reading", "ms", "x floor", "x ours", "samples"),
        [_row(name, seconds, said.get(name, "")) for name in (FLOOR, OURS, *OTHERS)],
    )


def _writers(report: Report, recording: EcgRecording) -> None:
    contestants: dict[str, Callable[[], object]] = {
        FLOOR: lambda: _plain(recording),
        OURS: lambda: encode(recording),
    }
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for number in range(ROUNDS + 1):
        for name, work in contestants.items():
            _take(seconds, name, _seconds(work), number)
    rows = [_row(name, seconds, "") for name in contestants]
    report.table(("writing", "ms", "x floor"), [row[:3] for row in rows])


def _plain(recording: EcgRecording) -> bytes:
    return np.rint(recording.microvolts / 2.5).astype("<i2").tobytes()


def _compared(sums: dict[str, list[float]], recording: EcgRecording) -> str:
    """Return whether a peer has found our samples, by count, sum and maximum of each lead."""
    ours = {
        name: (wave.size, float(wave.sum()), float(wave.max()))
        for name, wave in zip(recording.leads, recording.microvolts, strict=True)
    }
    scales = (1.0, 1000.0)  # microvolts, or millivolts
    same = [
        any(np.allclose(theirs, (n, total / k, top / k)) for k in scales)
        for theirs, (n, total, top) in zip(sums.values(), ours.values(), strict=False)
    ]
    return f"{sum(same)} of {len(ours)} leads equal"


def _take(seconds: dict[str, list[float]], name: str, taken: float, number: int) -> None:
    if number:  # the first round loads and warms
        seconds.setdefault(name, []).append(taken)


def _row(name: str, seconds: dict[str, list[float]], said: str) -> tuple[str, ...]:
    times = seconds.get(name)
    if not times:
        return name, "-", "-", "-", said
    return (
        name,
        f"{1e3 * statistics.median(times):.2f}",
        f"{median_ratio(times, seconds[FLOOR]):.0f}",
        f"{median_ratio(times, seconds[OURS]):.2f}",
        said,
    )


def _seconds(work: Callable[[], object]) -> float:
    begin = time.process_time()
    work()
    return time.process_time() - begin


async def _process(report: Report) -> None:
    starts, idle_mb, busy_mb = [], 0.0, 0.0
    for _ in range(STARTS):
        begin = time.perf_counter()
        async with Analysis(Limits()) as analysis:
            await analysis.heart_rate_from_ecg(np.zeros((1, 1000)), 500.0)
            starts.append(time.perf_counter() - begin)
            idle_mb = _rss_mb(analysis)
            await analysis.read_study(VirtualEcgCart(1).due(30.0)[0])
            busy_mb = _rss_mb(analysis)
    alone, durable = await _studies()
    report.table(
        ("analysis process", "median", "worst"),
        [
            ("start to first answer, s", f"{statistics.median(starts):.2f}", f"{max(starts):.2f}"),
            ("RSS after the first strip, MB", f"{idle_mb:.0f}", ""),
            ("RSS after the first file, MB", f"{busy_mb:.0f}", ""),
            ("file to values, ms", *_ms(alone)),
            ("file to four durable results, ms", *_ms(durable)),
        ],
    )


async def _studies() -> tuple[list[float], list[float]]:
    """Return seconds from bytes to values, and from bytes to a durable study, file by file."""
    alone, durable, clock = [], [], SystemClock(assume_trusted=True)
    with tempfile.TemporaryDirectory(prefix="carts-") as folder:
        async with (
            await Store.open(Path(folder) / "hub.db", clock=clock) as store,
            Analysis(Limits()) as analysis,
        ):
            chronicle = await Chronicle.resumed(store)
            receiving = Receiving(store, chronicle, analysis, clock)
            for data in VirtualEcgCart(2).due(30.0 * (STUDIES + 1)):
                begin = time.perf_counter()
                found = await analysis.read_study(data)
                if isinstance(found, AnalysisFailed):
                    raise RuntimeError(found.detail)  # noqa: TRY004 - a fault of the benchmark
                alone.append(time.perf_counter() - begin)
                begin, at = time.perf_counter(), clock.now()
                where = Moment.of(at, clock.era)
                origins = Origins("cart", "ecg-folder", where, Memory.STAMPED, 5.0)
                await receiving.receive(EcgFile(data, at, CartClock()), origins, None)
                durable.append(time.perf_counter() - begin)
    return alone[1:], durable[1:]


def _ms(seconds: list[float]) -> tuple[str, str]:
    return f"{1e3 * statistics.median(seconds):.0f}", f"{1e3 * max(seconds):.0f}"


def _rss_mb(analysis: Analysis) -> float:
    for line in Path(f"/proc/{analysis.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    return 0.0
