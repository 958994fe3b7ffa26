"""The hub's side of analysis: arrays out to a process of its own, results or reasons back.

The process owns scipy, a memory limit and the risk. It answers one request at a time; what waits is
bounded. If it crashes, overstays its time or its memory, it is killed and replaced, the one who
asked gets `AnalysisFailed`, and the others do not notice. Nothing here imports dsp or scipy.
"""

import asyncio
import contextlib
import os
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Awaitable
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from edge.analysis_wire import (
    PREFIX,
    LeadVerdict,
    Message,
    MessageError,
    RateReply,
    RateRequest,
    Refusal,
    StudyReply,
    StudyRequest,
    check_sizes,
    decode,
    encode,
)

MIB = 1024 * 1024
# What the child may know of this process's environment: no secrets, one thread, small arenas.
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH", "OPENBLAS_CORETYPE")
_SET = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}


class Failure(StrEnum):
    """Why analysis gave no result."""

    BUSY = "busy"  # too many requests wait already
    TOO_LARGE = "too-large"  # for one message
    NOT_STARTED = "not-started"
    STOPPED = "stopped"
    CRASHED = "crashed"
    TIMEOUT = "timeout"
    MEMORY = "memory"
    INPUT = "input"  # the arrays or numbers of the request are not legal
    FORMAT = "format"  # the file is none that can be read; `detail` says where and why
    ERROR = "error"  # a fault in the analysis itself


@dataclass(frozen=True, slots=True)
class AnalysisFailed:
    """No result, and why; `detail` is for the log and holds nothing of the samples."""

    reason: Failure
    detail: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class EcgRate:
    """What was found in a strip.

    `r_peaks` are sample indices; `per_min` is None exactly when `reason` says why not; `leads` is
    what was found of each lead; `cleaned` is the strip filtered, where that was asked for.
    """

    r_peaks: NDArray[np.intp]
    per_min: float | None
    intervals: int
    reason: str | None
    leads: tuple[LeadVerdict, ...]
    cleaned: NDArray[np.float64] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class EcgStudy:
    """A cart's file, read and measured: what it says, and its stored leads in microvolts."""

    said: StudyReply
    microvolts: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Limits:
    """What analysis may take: address space, seconds per request and to start, waiting requests.

    The address space counts the libraries as well, which map far more than they use.
    """

    memory_mib: int = 768
    request_s: float = 20.0
    start_s: float = 60.0
    waiting: int = 8


# After these the process is not asked again: it is dead, stuck, or has outgrown its memory.
_FATAL = frozenset({Failure.CRASHED, Failure.TIMEOUT, Failure.MEMORY})

_Answer: TypeAlias = Message | AnalysisFailed


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    """A request in pieces, and who waits for its answer."""

    pieces: list[bytes]
    answer: asyncio.Future[_Answer]


@dataclass(frozen=True, slots=True, eq=False)
class _Worker:
    """A running analysis process and the link to it."""

    process: Process
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def end(self) -> None:
        """Kill the process, reap it, close the link."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()
        await self.process.wait()


class Analysis:
    """The analysis process as a service: ``async with Analysis(Limits()) as analysis``."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._jobs: asyncio.Queue[_Job] = asyncio.Queue(limits.waiting)
        self._current: _Job | None = None
        self._worker: _Worker | None = None
        self._task: asyncio.Task[None] | None = None
        self.replaced = 0  # processes that had to be killed or were found dead

    @property
    def pid(self) -> int | None:
        """The process that answers at present, None between two."""
        return self._worker.process.pid if self._worker else None

    async def start(self) -> None:
        """Begin to start the process; requests may be made at once and wait for it."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="analysis")

    async def stop(self) -> None:
        """End the process; who still waits gets STOPPED."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
            if not task.cancelled():
                task.result()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    async def heart_rate_from_ecg(
        self,
        samples: NDArray[np.float64],
        fs: float,
        *,
        microvolts: float | None = None,
        preset: str | None = None,
    ) -> EcgRate | AnalysisFailed:
        """Find the beats of a strip and its rate.

        Parameters
        ----------
        samples
            (leads, n), NaN is a gap.
        fs
            Sampling rate in Hz.
        microvolts
            What one unit of the samples is worth (1000 for mV), None where nobody knows.
        preset
            Filter the strip as well: ``"diagnostic"``, ``"monitor"`` or ``"st"``.
        """
        array = np.asarray(samples, dtype=np.float64)
        request = RateRequest(float(fs), (array.shape,), microvolts, preset)
        try:
            pieces = encode(request, (array,))
        except MessageError as too_long:
            return AnalysisFailed(Failure.TOO_LARGE, str(too_long))
        return rate_of(await self._ask(pieces), filtered=preset is not None)

    async def read_study(self, data: bytes) -> EcgStudy | AnalysisFailed:
        """Read the file of an ECG cart and measure it."""
        array = np.frombuffer(data, dtype=np.uint8)
        try:
            pieces = encode(StudyRequest((array.shape,)), (array,))
        except MessageError as too_long:
            return AnalysisFailed(Failure.TOO_LARGE, str(too_long))
        return study_of(await self._ask(pieces))

    async def _ask(self, pieces: list[bytes]) -> _Answer:
        """Queue a request and wait; cancelling the wait leaves the process undisturbed."""
        if self._task is None or self._task.done():
            return AnalysisFailed(Failure.STOPPED)
        job = _Job(pieces, asyncio.get_running_loop().create_future())
        try:
            self._jobs.put_nowait(job)
        except asyncio.QueueFull:
            return AnalysisFailed(Failure.BUSY, f"{self._limits.waiting} requests wait already")
        return await job.answer

    async def _run(self) -> None:
        """Answer one request after the other; the only place that starts and ends processes."""
        try:
            await self._have_worker()
            while True:
                self._current = await self._jobs.get()
                if not self._current.answer.done():
                    _tell(self._current, await self._answer(self._current.pieces))
                self._current = None
                await self._have_worker()
        finally:
            left = [self._current] if self._current else []
            while not self._jobs.empty():
                left.append(self._jobs.get_nowait())
            for job in left:
                _tell(job, AnalysisFailed(Failure.STOPPED))
            await self._drop_worker()

    async def _answer(self, pieces: list[bytes]) -> _Answer:
        """Return the process's answer; where there is none, end the process and say why."""
        worker = await self._have_worker()
        if isinstance(worker, AnalysisFailed):
            return worker
        outcome = await _within(self._limits.request_s, _exchange(worker, pieces))
        if isinstance(outcome, AnalysisFailed) and outcome.reason in _FATAL:
            self.replaced += 1
            await self._drop_worker()
        return outcome

    async def _have_worker(self) -> _Worker | AnalysisFailed:
        """Return the running process, started anew if there is none or it died; or why not."""
        worker = self._worker
        if worker and (worker.process.returncode is not None or worker.reader.at_eof()):
            self.replaced += 1
            await self._drop_worker()
        if self._worker is not None:
            return self._worker
        try:
            self._worker = await _spawn(self._limits.memory_mib)
        except OSError as wrong:
            return AnalysisFailed(Failure.NOT_STARTED, str(wrong))
        greeting = await _within(self._limits.start_s, _receive(self._worker))
        if isinstance(greeting, AnalysisFailed):
            await self._drop_worker()
            return AnalysisFailed(Failure.NOT_STARTED, greeting.detail)
        return self._worker

    async def _drop_worker(self) -> None:
        """End the process if there is one."""
        worker, self._worker = self._worker, None
        if worker is not None:
            await worker.end()


def rate_of(answer: _Answer, *, filtered: bool) -> EcgRate | AnalysisFailed:
    """Return what a rate request was answered; `filtered` is whether it asked for the strip too."""
    if isinstance(answer, AnalysisFailed):
        return answer
    header, arrays = answer
    if isinstance(header, Refusal):
        return AnalysisFailed(Failure(header.reason), header.detail)
    if not isinstance(header, RateReply) or len(arrays) != (2 if filtered else 1):
        return AnalysisFailed(Failure.ERROR, "the answer is to another question")
    return EcgRate(
        r_peaks=arrays[0].astype(np.intp),
        per_min=header.per_min,
        intervals=header.intervals,
        reason=header.reason,
        leads=header.leads,
        cleaned=arrays[1] if filtered else None,
    )


def study_of(answer: _Answer) -> EcgStudy | AnalysisFailed:
    """Return what a study request was answered."""
    if isinstance(answer, AnalysisFailed):
        return answer
    header, arrays = answer
    if isinstance(header, Refusal):
        return AnalysisFailed(Failure(header.reason), header.detail)
    if not isinstance(header, StudyReply) or len(arrays) != 1:
        return AnalysisFailed(Failure.ERROR, "the answer is to another question")
    return EcgStudy(header, arrays[0])


async def _spawn(memory_mib: int) -> _Worker:
    """Start a process on one end of a socket pair; OSError where the system has none to give."""
    ours, theirs = socket.socketpair()
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "edge.analysis_worker"),
            *(str(theirs.fileno()), str(memory_mib * MIB), str(os.getpid())),
            pass_fds=(theirs.fileno(),),
            stdin=DEVNULL,
            stdout=DEVNULL,
            env={name: os.environ[name] for name in _PASSED_ON if name in os.environ} | _SET,
        )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    # open_connection on a connected socket does not wait, so no cancellation can fall in between.
    reader, writer = await asyncio.open_connection(sock=ours)
    return _Worker(process, reader, writer)


async def _exchange(worker: _Worker, pieces: list[bytes]) -> _Answer:
    """Send a request and return what comes back."""
    for piece in pieces:
        worker.writer.write(piece)
        await worker.writer.drain()
    return await _receive(worker)


async def _receive(worker: _Worker) -> _Answer:
    """Return the next message; a refusal as the failure it means."""
    header_size, arrays_size = PREFIX.unpack(await worker.reader.readexactly(PREFIX.size))
    check_sizes(header_size, arrays_size)
    header = await worker.reader.readexactly(header_size)
    message = decode(header, await worker.reader.readexactly(arrays_size))
    if isinstance(message[0], Refusal):
        return AnalysisFailed(Failure(message[0].reason), message[0].detail)
    return message


async def _within(seconds: float, work: Awaitable[_Answer]) -> _Answer:
    """Return the outcome, or the failure that being late or a broken link is."""
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError:
        return AnalysisFailed(Failure.TIMEOUT, f"no answer within {seconds} s")
    except (asyncio.IncompleteReadError, OSError):
        return AnalysisFailed(Failure.CRASHED, "the analysis process ended")
    except MessageError as wrong:
        return AnalysisFailed(Failure.CRASHED, f"the analysis process lost its thread: {wrong}")


def _tell(job: _Job, answer: _Answer) -> None:
    """Give an answer to whoever still waits for it."""
    if not job.answer.done():
        job.answer.set_result(answer)
