"""A virtual instrument in the hub's process does what the script in its file says."""

import asyncio
import time

import pytest

from drivers.errors import LinkLost, LinkNotFound, SettingsError
from drivers.model import Instant
from drivers.registry import REGISTRY
from drivers.virtual.gatt.played import Script, played

SCALE = REGISTRY["ble-scale"]
WEIGHT = "2a9d"


def now():
    return Instant(time.time_ns(), time.monotonic_ns(), trusted=True)


def script(path, *starts, ago_s=10.0, **scene):
    """Write a script whose second 0 was some time ago, so that all of it is due at once."""
    begin_ns = time.monotonic_ns() - round(ago_s * 1e9)
    scene = {"measure_at_s": (), "has_body_composition": False, "patient_seed": 4} | scene
    Script(begin_ns, 1, scene, starts).write(path)


async def heard(link, many):
    await link.subscribe(WEIGHT)
    return [(await anext(link)).data for _ in range(many)]


async def test_what_was_stored_and_what_is_started_comes_over_the_link(tmp_path):
    path = tmp_path / "scale.json"
    script(path, (1.0, None), backlog=2)
    async with played(SCALE, path, now) as link:
        assert len(await heard(link, 3)) == 3


async def test_a_start_that_is_added_while_it_is_on_is_played_once(tmp_path):
    path = tmp_path / "scale.json"
    script(path, (1.0, None), (2.0, 5), ago_s=60.0)
    async with played(SCALE, path, now) as link:
        first, second = await heard(link, 2)
        script(path, (1.0, None), (2.0, 5), (55.0, 6), ago_s=60.0)
        assert len({first, second, (await anext(link)).data}) == 3


async def test_without_a_script_it_is_out_of_range_and_when_that_goes_the_link_is_lost(tmp_path):
    path = tmp_path / "scale.json"
    with pytest.raises(LinkNotFound, match="switched off"):
        async with played(SCALE, path, now):
            pass
    script(path)
    async with played(SCALE, path, now) as link:
        path.unlink()
        with pytest.raises(LinkLost):
            async with asyncio.timeout(20):
                await anext(link)


async def test_a_file_that_is_no_script_is_refused_by_name(tmp_path):
    path = tmp_path / "scale.json"
    path.write_text("{}")
    with pytest.raises(SettingsError, match=r"scale\.json: not a script"):
        async with played(SCALE, path, now):
            pass
