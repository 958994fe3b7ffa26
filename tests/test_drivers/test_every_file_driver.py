"""What every driver keeps to that takes whole files from a folder."""

import asyncio

import pytest

from drivers.errors import FileRefused, LinkLost, SettingsError
from drivers.formats import read_ecg
from drivers.model import EcgFile, Kind, Notice
from drivers.registry import REGISTRY, LinkKind, Memory
from drivers.transports.bench import BenchHost
from drivers.transports.memory_folder import MemoryFolder
from drivers.transports.recorded_time import RecordedTime

NAMES = sorted(name for name, entry in REGISTRY.items() if entry.leaves_files)
MINUTES_S = 120.0

every_driver = pytest.mark.parametrize("name", NAMES)


def dropped_by_its_virtual_instrument(name, seed=1):
    return REGISTRY[name].simulator()(seed).due(MINUTES_S)


def session(name, files, refuse=None):
    """Run the driver on a folder of files; `refuse` is the reason why the hub takes none."""
    clock, items = RecordedTime(), []

    async def run():
        link, host = MemoryFolder(clock.now), BenchHost(clock)
        driver = REGISTRY[name].file_factory()(host, REGISTRY[name].options({}))

        async def emit(item):
            items.append(item)
            if refuse and isinstance(item, EcgFile):
                raise FileRefused(refuse)

        for data in files:
            link.drop(data)
        link.lose()
        with pytest.raises(LinkLost):
            await asyncio.ensure_future(driver.run(link, emit))
        return link

    return clock.run(run()), items


@every_driver
def test_its_entry_says_what_it_is_and_loads(name):
    entry = REGISTRY[name]
    assert all([entry.title, entry.sources, callable(entry.simulator())])
    assert entry.links == {LinkKind.FOLDER}
    assert entry.writes == frozenset()
    assert {Kind.ECG12, Kind.ECG12_WAVEFORM, Kind.ECG12_ORIGINAL} <= set(entry.memory)
    assert {each.memory for each in entry.memory.values()} == {Memory.STAMPED}


@every_driver
def test_a_setting_it_does_not_know_is_refused_by_name(name):
    with pytest.raises(SettingsError, match="no_such_setting"):
        REGISTRY[name].options({"no_such_setting": 1})


@every_driver
def test_a_time_zone_that_is_none_is_refused(name):
    with pytest.raises(SettingsError, match="no time zone 'Berlin'"):
        REGISTRY[name].options({"zone": "Berlin"})


@every_driver
def test_its_virtual_instrument_leaves_files_that_can_be_read(name):
    files = dropped_by_its_virtual_instrument(name)
    assert len(files) > 1
    assert all(read_ecg(data).patient.patient_id for data in files)


@every_driver
def test_the_same_seed_gives_the_same_files(name):
    assert dropped_by_its_virtual_instrument(name) == dropped_by_its_virtual_instrument(name)
    assert dropped_by_its_virtual_instrument(name) != dropped_by_its_virtual_instrument(name, 2)


@every_driver
def test_every_file_goes_on_whole_and_is_done_with_once_it_is_durable(name):
    files = [*dropped_by_its_virtual_instrument(name), b"no ECG at all"]
    link, items = session(name, files)
    assert [item.data for item in items] == link.finished == files
    assert link.aside == []


@every_driver
def test_a_refused_file_is_set_aside_with_its_reason_and_the_next_one_follows(name):
    files = list(dropped_by_its_virtual_instrument(name))
    link, items = session(name, files, refuse="unreadable (at byte 7)")
    assert link.finished == []
    assert link.aside == [(data, "unreadable (at byte 7)") for data in files]
    assert sum(isinstance(item, Notice) for item in items) == len(files)
