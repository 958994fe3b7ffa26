"""A whole hub and a Bluetooth cuff: killed as it hands over its reading, which is there then, once.

And what a person does at the room's door while it pairs.
"""

import asyncio
import json
import signal
import sys
from asyncio.subprocess import PIPE
from contextlib import asynccontextmanager

import pytest

from drivers.contract import Peer
from drivers.transports.ble.agent import PERSON_S
from drivers.virtual.bluetooth.manners import Drop, Manners, Pairing
from drivers.virtual.gatt.cuff import virtual_cuff
from edge.clock import SystemClock
from edge.demo.door import Door
from edge.demo.processes import until_there, verb
from edge.faults import VARIABLE
from edge.store import Store
from edge.store.store import FILE_NAME

pytestmark = [pytest.mark.system, pytest.mark.timeout(120)]

CLOCK = SystemClock()
PATIENCE_S = 60
ASKED_BEFORE = 7  # chunks: maker, model, number, firmware, battery, what the cuff can do, clock
KEPT, NOT_KEPT = "store.keep.after-commit", "store.keep.before-commit"


def settings(folder, cuff):
    """Write the settings of a hub with this cuff and no broker; return their path."""
    path = folder / "hub.toml"
    path.write_text(
        f'[hub]\nsite = "site"\nname = "room"\nstate_dir = "{folder}/hub"\nspace = "demo"\n'
        '[broker]\nport = 1\n[clock]\ntrust = "assume"\n[analysis]\nenabled = false\n'
        f'[instruments.cuff]\ndriver = "ble-blood-pressure"\nlink = "ble:{cuff.address}"\n'
    )
    (folder / "hub").mkdir(exist_ok=True)
    return path


@asynccontextmanager
async def hub(folder, cuff, **environment):
    arguments = ("--config", str(settings(folder, cuff)))
    async with verb("run", arguments, folder, environment) as process:
        await until_there(folder / "hub" / "control.sock", process, "run", folder)
        yield process


async def killed_at(folder, cuff, point):
    """Run a hub until it dies where the reading is kept."""
    async with hub(folder, cuff, **{VARIABLE: f"{point}:{ASKED_BEFORE + 1}"}) as process:
        async with asyncio.timeout(PATIENCE_S):
            assert await process.wait() == -signal.SIGKILL
    (folder / "hub" / "control.sock").unlink()


async def what_is_kept(folder):
    async with await Store.open_to_read(folder / "hub" / FILE_NAME) as store:
        return [chunk.channel for _, era in await store.unsettled("cuff") for _, chunk in era]


async def values(folder, cuff, *, sent_again=False):
    """Start the hub again; return its blood pressures when it has all it will get."""
    async with hub(folder, cuff):
        door = await Door.open(folder / "hub" / "control.sock")
        try:
            view = await door.until(lambda room: room.values, PATIENCE_S)
            if sent_again:
                async with asyncio.timeout(PATIENCE_S):
                    while cuff.instrument._memory:
                        await CLOCK.sleep(0.1)
                await CLOCK.sleep(1.0)
                view = await door.look()
        finally:
            await door.close()
    assert view is not None
    return [value for value in view.values if value.kind == "blood-pressure"]


async def test_between_keep_and_decode(ward, tmp_path):
    cuff = await ward.add(virtual_cuff(1, measure_at_s=(0,), hangs_up=True))
    await killed_at(tmp_path, cuff, KEPT)
    assert (await what_is_kept(tmp_path))[-1] == "2a35"
    await cuff.go_away()
    assert len(await values(tmp_path, cuff)) == 1


@pytest.mark.parametrize(("point", "last"), [(NOT_KEPT, "2a2b"), (KEPT, "2a35")])
async def test_between_indication_and_confirmation(ward, tmp_path, point, last):
    manners = Manners(drops=Drop.BEFORE_CONFIRMATION)
    cuff = await ward.add(virtual_cuff(1, measure_at_s=(0,), hangs_up=True), manners)
    await killed_at(tmp_path, cuff, point)
    assert (await what_is_kept(tmp_path))[-1] == last
    assert len(await values(tmp_path, cuff, sent_again=True)) == 1


async def test_a_reading_that_the_cuff_sends_again_without_a_crash_is_there_once(ward, tmp_path):
    manners = Manners(drops=Drop.BEFORE_CONFIRMATION)
    cuff = await ward.add(virtual_cuff(1, measure_at_s=(0,), hangs_up=True), manners)
    assert len(await values(tmp_path, cuff, sent_again=True)) == 1
    assert cuff.connections >= 2


async def test_the_passkey_of_an_enrolled_cuff_is_asked_and_given_at_the_rooms_door(ward, tmp_path):
    manners = Manners(pairing=Pairing.SHOWS_PASSKEY, passkey=4711)
    cuff = await ward.add(virtual_cuff(1, measure_at_s=(0,), hangs_up=True), manners)
    async with hub(tmp_path, cuff):
        door = await Door.open(tmp_path / "hub" / "control.sock")
        try:
            asking = await door.until(lambda room: room.radio and room.radio.asks, PATIENCE_S)
            assert asking is not None
            assert [(each.instrument, each.asked) for each in asking.radio.asks] == [
                ("cuff", "enter-passkey")
            ]
            with pytest.raises(PermissionError, match="type the passkey"):
                await door.act("answer-pairing", instrument="cuff")
            await door.act("answer-pairing", instrument="cuff", passkey=4711)
            room = await door.until(lambda room: room.values, PATIENCE_S)
            with pytest.raises(PermissionError, match="does not ask"):
                await door.act("answer-pairing", instrument="cuff", passkey=4711)
        finally:
            await door.close()
    assert room is not None
    assert room.radio.heard_s is not None
    assert room.radio.instruments["cuff"] is not None
    assert "4711" not in (tmp_path / "run.log").read_text("utf-8")
    assert cuff.bonds == 1


@pytest.mark.parametrize(
    ("pairing", "asked"),
    [(Pairing.TAKES_PASSKEY, "show-passkey"), (Pairing.COMPARES_PASSKEY, "compare-passkey")],
)
async def test_a_passkey_is_shown_at_the_rooms_door_to_be_typed_or_compared_until_it_is_paired(
    ward, tmp_path, pairing, asked
):
    cuff = await ward.add(virtual_cuff(1, measure_at_s=(0,)), Manners(pairing=pairing))
    async with hub(tmp_path, cuff):
        door = await Door.open(tmp_path / "hub" / "control.sock")
        try:
            asking = await door.until(lambda room: room.radio and room.radio.asks, PATIENCE_S)
            (ask,) = asking.radio.asks
            if pairing is Pairing.TAKES_PASSKEY:
                cuff.keys.type(ask.passkey)
            else:
                assert await cuff.keys.compared() == ask.passkey
                await door.act("answer-pairing", instrument="cuff")
            assert await door.until(lambda room: room.values, PATIENCE_S)
            room = await door.until(lambda room: not room.radio.asks, PERSON_S / 2)
        finally:
            await door.close()
    assert (ask.instrument, ask.asked) == ("cuff", asked)
    assert room is not None  # not only when the question is too old
    assert str(ask.passkey) not in (tmp_path / "run.log").read_text("utf-8")
    assert cuff.bonds == 1


async def pair(*arguments, typed=None):
    """Run the verb `pair`; type a line when a passkey is asked for. Return code, lines, words."""
    command = [sys.executable, "-P", "-m", "edge.cli", "pair", *arguments]
    process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, stderr=PIPE)
    said = []
    async with asyncio.timeout(PATIENCE_S):
        while line := (await process.stderr.readline()).decode():
            said.append(line)
            if "type the passkey" in line:
                process.stdin.write(f"{typed}\n".encode())
        lines = (await process.stdout.read()).decode().splitlines()
        code = await process.wait()
    return code, [json.loads(line) for line in lines], "".join(said)


async def test_an_operator_pairs_at_a_terminal_beside_the_running_hub(ward, tmp_path):
    manners = Manners(pairing=Pairing.SHOWS_PASSKEY, passkey=471)
    cuff = await ward.add(virtual_cuff(1, measure_at_s=(0,)), manners)
    other = virtual_cuff(2, measure_at_s=())
    other.peer = Peer("C0:FF:EE:00:00:99")
    async with hub(tmp_path, await ward.add(other)):
        _, heard, _ = await pair("--scan", "2")
        wrong, _, why = await pair(cuff.address, typed="123")
        code, paired, said = await pair(cuff.address, typed="000471")
        _, bonds, _ = await pair()
        again, _, refused = await pair(cuff.address)
        removed, _, _ = await pair(cuff.address, "--remove")
        _, none, _ = await pair()
    assert [(each["address"], each["drivers"]) for each in heard] == [
        (cuff.address, ["ble-blood-pressure"])
    ]
    assert (wrong, code, again, removed) == (2, 0, 2, 0)
    assert "the pairing failed" in why
    assert f'driver = "ble-blood-pressure"\nlink = "ble:{cuff.address}"' in said
    assert [each["paired"] for each in (*paired, *bonds)] == [True, True]
    assert "paired already" in refused
    assert none == []
