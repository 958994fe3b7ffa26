import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edge.analysis import Analysis, AnalysisFailed, EcgRate, Failure, Limits

# Real processes that load scipy, on cores that other tests use too.
pytestmark = pytest.mark.timeout(180)

FS = 500.0


def strip(seconds=10, leads=1):
    """An upright spike and a round wave every 800 ms, in mV."""
    t = np.arange(round(seconds * FS)) / FS
    phase = (t % 0.8) - 0.3
    beat = np.exp(-0.5 * (phase / 0.011) ** 2) + 0.3 * np.exp(-0.5 * ((phase - 0.27) / 0.045) ** 2)
    noise = np.random.default_rng(0).normal(scale=0.01, size=(leads, t.size))
    return beat + noise


def state(pid):
    """Return the kernel's letter for a process, None when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except (FileNotFoundError, ProcessLookupError):
        return None


def descriptors():
    """Return what this process has open; the folder being listed is not counted."""
    return {entry.name for entry in Path("/proc/self/fd").iterdir() if entry.exists()}


def environment_of(pid):
    """Return the environment a process was started with."""
    return Path(f"/proc/{pid}/environ").read_bytes()


async def gone(pid):
    """Return when a process is dead, reaped or not."""
    while state(pid) not in {None, "Z"}:  # noqa: ASYNC110 -- a process of others has no event
        await asyncio.sleep(0.01)


async def ready(analysis):
    """Return the process id once the process answers."""
    assert isinstance(await analysis.heart_rate_from_ecg(strip(2), FS), EcgRate)
    return analysis.pid


async def test_a_strip_comes_back_with_beats_rate_quality_and_filtered_samples():
    async with Analysis(Limits()) as analysis:
        found = await analysis.heart_rate_from_ecg(
            strip(leads=2), FS, microvolts=1000.0, preset="monitor"
        )
    assert isinstance(found, EcgRate)
    assert np.abs(found.r_peaks - np.arange(150, 5000, 400)).max() <= 2
    assert (found.per_min, found.reason) == (pytest.approx(75, abs=0.5), None)
    assert [(lead.usable, lead.flaws) for lead in found.leads] == [(True, ())] * 2
    assert found.cleaned.shape == (2, 5000)


async def test_a_flat_strip_has_no_rate_and_says_why_and_one_too_long_is_not_sent():
    async with Analysis(Limits()) as analysis:
        flat = await analysis.heart_rate_from_ecg(np.zeros((1, 5000)), FS)
        long = await analysis.heart_rate_from_ecg(np.broadcast_to(0.0, (12, 10**6)), FS)
    assert (flat.per_min, flat.reason, flat.cleaned) == (None, "too-few-beats", None)
    assert [lead.usable for lead in flat.leads] == [False]
    assert long.reason is Failure.TOO_LARGE


async def test_wrong_requests_are_refused_and_the_process_stays():
    wrong = [
        (np.zeros((1, 2, 3)), FS, {}),
        (strip(), 3.0, {}),
        (strip(), FS, {"preset": "pretty"}),
        (strip(), float("nan"), {}),
    ]
    async with Analysis(Limits()) as analysis:
        pid = await ready(analysis)
        for samples, fs, more in wrong:
            found = await analysis.heart_rate_from_ecg(samples, fs, **more)
            assert (found.reason, analysis.pid, analysis.replaced) == (Failure.INPUT, pid, 0)


async def test_a_process_killed_over_a_request_is_replaced_and_the_next_one_is_answered():
    async with Analysis(Limits()) as analysis:
        pid = await ready(analysis)
        os.kill(pid, signal.SIGSTOP)
        first = asyncio.create_task(analysis.heart_rate_from_ecg(strip(), FS))
        second = asyncio.create_task(analysis.heart_rate_from_ecg(strip(), FS))
        for _ in range(10):  # until the first one is with the process
            await asyncio.sleep(0)
        os.kill(pid, signal.SIGKILL)
        assert (await first).reason is Failure.CRASHED
        assert isinstance(await second, EcgRate)
        assert (analysis.replaced, analysis.pid != pid, state(pid)) == (1, True, None)


async def test_a_process_that_died_idle_costs_no_request():
    async with Analysis(Limits()) as analysis:
        pid = await ready(analysis)
        os.kill(pid, signal.SIGKILL)
        await gone(pid)
        while not analysis._worker.reader.at_eof():  # noqa: ASYNC110 -- no event for it
            await asyncio.sleep(0.01)
        assert isinstance(await analysis.heart_rate_from_ecg(strip(), FS), EcgRate)


async def test_a_process_that_hangs_is_killed_and_the_next_request_is_answered():
    async with Analysis(Limits(request_s=5.0)) as analysis:
        pid = await ready(analysis)
        os.kill(pid, signal.SIGSTOP)
        first = asyncio.create_task(analysis.heart_rate_from_ecg(strip(), FS))
        second = asyncio.create_task(analysis.heart_rate_from_ecg(strip(), FS))
        assert (await first).reason is Failure.TIMEOUT
        assert state(pid) is None
        assert isinstance(await second, EcgRate)


async def test_a_request_that_outgrows_the_memory_fails_and_the_next_one_is_answered():
    async with Analysis(Limits(memory_mib=400)) as analysis:
        pid = await ready(analysis)
        bomb = await analysis.heart_rate_from_ecg(
            np.random.default_rng(0).normal(size=(12, 600_000)), FS, preset="diagnostic"
        )
        assert bomb.reason in {Failure.MEMORY, Failure.CRASHED}
        assert isinstance(await analysis.heart_rate_from_ecg(strip(), FS), EcgRate)
        assert (analysis.replaced, analysis.pid != pid) == (1, True)


async def test_the_largest_message_fits_into_the_usual_memory():
    wide = np.tile(strip(1000, leads=12), (1, 1))
    async with Analysis(Limits()) as analysis:
        found = await analysis.heart_rate_from_ecg(wide, FS, preset="diagnostic")
    assert found.r_peaks.size == 1250


async def test_too_little_memory_to_start_is_a_reason_and_not_a_hang():
    async with Analysis(Limits(memory_mib=1)) as analysis:
        found = await analysis.heart_rate_from_ecg(strip(), FS)
    assert found.reason is Failure.NOT_STARTED


async def test_more_than_may_wait_is_busy():
    async with Analysis(Limits(waiting=2)) as analysis:
        asked = [asyncio.create_task(analysis.heart_rate_from_ecg(strip(2), FS)) for _ in range(5)]
        answers = await asyncio.gather(*asked)
    busy = [one for one in answers if isinstance(one, AnalysisFailed)]
    assert [one.reason for one in busy] == [Failure.BUSY] * len(busy)
    assert 2 <= len(busy) <= 3


async def test_who_stops_waiting_gets_nothing_and_the_next_one_its_own_answer():
    async with Analysis(Limits()) as analysis:
        pid = await ready(analysis)
        os.kill(pid, signal.SIGSTOP)
        task = asyncio.create_task(analysis.heart_rate_from_ecg(strip(5), FS, preset="st"))
        for _ in range(10):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        os.kill(pid, signal.SIGCONT)
        found = await analysis.heart_rate_from_ecg(strip(8), FS)
        assert (found.r_peaks.size, found.cleaned, analysis.pid) == (10, None, pid)


async def test_stopping_answers_those_who_wait_and_leaves_no_process_and_no_descriptor():
    before = descriptors()
    analysis = Analysis(Limits())
    await analysis.start()
    pid = await ready(analysis)
    os.kill(pid, signal.SIGSTOP)
    asked = [asyncio.create_task(analysis.heart_rate_from_ecg(strip(2), FS)) for _ in range(3)]
    await asyncio.sleep(0.05)
    await analysis.stop()
    assert [(await one).reason for one in asked] == [Failure.STOPPED] * 3
    assert (state(pid), descriptors()) == (None, before)
    assert (await analysis.heart_rate_from_ecg(strip(2), FS)).reason is Failure.STOPPED


async def test_stopping_while_it_starts_leaves_no_process():
    analysis = Analysis(Limits())
    await analysis.start()
    while analysis.pid is None:  # noqa: ASYNC110 -- the moment in between has no event
        await asyncio.sleep(0)
    pid = analysis.pid
    await analysis.stop()
    assert state(pid) is None


async def test_the_process_dies_with_the_hub():
    program = (
        "import asyncio, os, signal\n"
        "import numpy as np\n"
        "from edge.analysis import Analysis, Limits\n"
        "async def hub():\n"
        "    async with Analysis(Limits()) as analysis:\n"
        "        await analysis.heart_rate_from_ecg(np.zeros((1, 1000)), 500.0)\n"
        "        os.kill(analysis.pid, signal.SIGSTOP)\n"
        "        print(analysis.pid, flush=True)\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(hub())\n"
    )
    hub = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await hub.communicate()
    assert hub.returncode == -signal.SIGKILL
    await gone(int(out))


def test_the_process_gets_no_secret_of_the_environment(monkeypatch):
    async def environment():
        async with Analysis(Limits()) as analysis:
            pid = await ready(analysis)
            return environment_of(pid)

    monkeypatch.setenv("BROKER_PASSWORD", "hunter2")
    assert b"hunter2" not in asyncio.run(environment())


def test_the_hub_loads_neither_scipy_nor_dsp():
    program = (
        "import asyncio, sys\n"
        "import numpy as np\n"
        "import edge.strips\n"
        "from edge.analysis import Analysis, Limits\n"
        "async def hub():\n"
        "    async with Analysis(Limits()) as analysis:\n"
        "        await analysis.heart_rate_from_ecg(np.zeros((1, 1000)), 500.0, preset='st')\n"
        "asyncio.run(hub())\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules} & {'scipy', 'dsp'}))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"
