"""Twenty enrolled Bluetooth instruments that come and go, and what the hub has left behind after.

    python tests/soak/radio.py --seconds 600 --seed 1

The hub is a process of its own, on a model of bluetoothd and a virtual radio in this one. Each
instrument measures every few seconds and is carried out of range and back, often in the middle of
what it sends. Printed are descriptors, tasks and memory of the hub as it goes, and at the end how
many measurements were lost, and how many the room has twice. Exit code 1 if any were, or if
anything grew beyond what the room holds of values that nobody has taken. With --quiet all are
oximeters that have nothing to say: what grows then is the radio's.
"""

import argparse
import asyncio
import json
import os
import random
import sys
import tempfile
from asyncio.subprocess import PIPE
from collections import Counter
from contextlib import suppress
from pathlib import Path

from config.load import load
from drivers.contract import Peer
from drivers.virtual.bluetooth.bus import ADDRESS_VARIABLE
from drivers.virtual.bluetooth.ward import Ward
from drivers.virtual.gatt.cuff import virtual_cuff
from drivers.virtual.gatt.oximeter import virtual_oximeter
from drivers.virtual.gatt.thermometer import virtual_thermometer
from edge.assembly import assembled
from edge.clock import SystemClock
from edge.events import LinkOpened, Measured
from edge.observation import Origin
from edge.room import RoomState, fold
from edge.store import Store
from edge.store.store import FILE_NAME

CLOCK = SystemClock(assume_trusted=True)
EVERY_S = 7  # between two measurements of one instrument
LOOK_S = 5.0
SHORTEST_S = 60.0
WARM_UP = 0.25  # of the run: libraries are loaded, every instrument was met
DRAIN_S = 90.0
GROWN_KB = 1024
ITEM_KB = 6  # of memory for one value in the room
MAKERS = (
    ("ble-blood-pressure", virtual_cuff, "blood-pressure"),
    ("ble-thermometer", virtual_thermometer, "temperature"),
    ("ble-blood-pressure", virtual_cuff, "blood-pressure"),
    ("ble-oximeter", virtual_oximeter, "oximetry"),
)
KEPT = {"blood-pressure", "temperature"}  # what an instrument stores until it is taken


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--instruments", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quiet", action="store_true")
    parser.add_argument("--hub", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.seconds < SHORTEST_S:
        parser.error(f"give at least {SHORTEST_S:g} seconds: what grows is seen only in time")
    if args.hub is not None:
        return asyncio.run(be_the_hub(args.hub))
    with tempfile.TemporaryDirectory(prefix="radio-") as folder:
        return asyncio.run(soak(args, Path(folder)))


# ---- the hub


async def be_the_hub(settings):
    async with assembled(load(settings)) as service:
        serving = asyncio.ensure_future(service.run())
        telling = asyncio.ensure_future(tell())
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)
        for task in (telling, serving):
            task.cancel()
        await asyncio.gather(telling, serving, return_exceptions=True)
    return 0


async def tell():
    while True:
        await asyncio.sleep(LOOK_S)
        say(json.dumps({**of_the_process(), "tasks": len(asyncio.all_tasks())}))


def of_the_process():
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    status = dict(line.split(":\t", 1) for line in lines)
    return {
        "descriptors": len([*Path("/proc/self/fd").iterdir()]),
        "rss_kb": int(status["VmRSS"].split()[0]),
    }


# ---- the ward around it


async def soak(args, folder):
    rng = random.Random(args.seed)
    times = tuple(float(at) for at in range(3, int(args.seconds), EVERY_S))
    async with Ward(folder, CLOCK) as ward:
        os.environ[ADDRESS_VARIABLE] = ward.address
        instruments, lines = {}, hub_lines(folder)
        for number in range(args.instruments):
            driver, make, kind = MAKERS[-1] if args.quiet else MAKERS[number % len(MAKERS)]
            name = f"i{number}"
            scene = {"measure_at_s": () if args.quiet else times, "serial": f"S{number:04}"}
            scene |= {"streams": False} if args.quiet else {}
            virtual = make(number + args.seed, **scene)
            virtual.peer = Peer(f"C0:FF:EE:00:01:{number:02X}", name=virtual.peer.name)
            instruments[name] = await ward.add(virtual), kind
            lines += [
                f"[instruments.{name}]",
                f'driver = "{driver}"',
                f'link = "ble:{virtual.peer.address}"',
            ]
        (folder / "hub.toml").write_text("\n".join(lines) + "\n")
        (folder / "hub").mkdir()
        seen = await live(args, folder, [each for each, _ in instruments.values()], rng)
    return await judge(folder, instruments, len(times), seen, args)


def hub_lines(folder):
    return [
        *("[hub]", 'site = "soak"', 'name = "room"', f'state_dir = "{folder}/hub"'),
        *('space = "demo"', "[broker]", "port = 1", "[clock]", 'trust = "assume"'),
        *("[analysis]", "enabled = false"),
    ]


async def live(args, folder, instruments, rng):
    """Let the instruments come and go beside a hub; return what it told of itself."""
    with (folder / "hub.log").open("wb") as log:
        hub = await asyncio.create_subprocess_exec(
            *(sys.executable, __file__, "--hub", str(folder / "hub.toml")),
            stdin=PIPE,
            stdout=PIPE,
            stderr=log,
        )
    seen = []
    reading = asyncio.ensure_future(read(hub.stdout, seen))
    going = [asyncio.ensure_future(come_and_go(each, rng)) for each in instruments]
    await asyncio.sleep(args.seconds)
    for task in going:
        task.cancel()
    await asyncio.gather(*going, return_exceptions=True)
    for each in instruments:
        each.come_back()
    with suppress(TimeoutError):
        async with asyncio.timeout(DRAIN_S):
            while any(each.instrument._memory for each in instruments if not streams(each)):
                await CLOCK.sleep(0.5)
    await asyncio.sleep(3)
    hub.stdin.write(b"\n")
    await hub.wait()
    await reading
    return seen


def streams(peripheral):
    return peripheral.instrument._stream is not None and peripheral.instrument._habits.stays_on


async def come_and_go(peripheral, rng):
    while True:
        peripheral.come_back()
        await asyncio.sleep(rng.uniform(4, 14))
        await peripheral.go_away()
        await asyncio.sleep(rng.uniform(1, 10))


async def read(stream, seen):
    while line := await stream.readline():
        seen.append(json.loads(line))
        if len(seen) % 12 == 0:
            say(f"{len(seen) * LOOK_S:6.0f} s  {line.decode().strip()}")


async def judge(folder, instruments, planned, seen, args):
    """Count what became of every measurement; return the exit code."""
    journaled, items, sessions = {}, Counter(), 0
    async with await Store.open_to_read(folder / "hub" / FILE_NAME) as store:
        state = RoomState(store.journal)
        async for recorded in store.recorded():
            state = fold(state, recorded)
            event = recorded.event
            sessions += isinstance(event, LinkOpened)
            if isinstance(event, Measured) and event.origin is Origin.MEASURED:
                journaled.setdefault(event.instrument, set()).add(event.measurement.raw)
        unsettled = sum([len(await store.unsettled(name)) for name in instruments])
    for item in state.items.values():
        items[item.event.instrument, item.event.measurement.raw] += 1
    stores = [name for name, (_, kind) in instruments.items() if kind in KEPT]
    lost = sum(planned - len(journaled.get(name, ())) for name in stores)
    twice = sum(count - 1 for (name, _), count in items.items() if name in stores)
    settled = seen[int(len(seen) * WARM_UP) :]
    first, last = settled[: len(settled) // 3], settled[-len(settled) // 3 :]
    grown = {key: typical(last, key) - typical(first, key) for key in seen[0]}
    say(
        f"seed {args.seed}: {len(instruments)} instruments, {args.seconds:.0f} s, "
        f"{sum(each.connections for each, _ in instruments.values())} connections, "
        f"{sessions} sessions\n"
        f"measurements stored by {len(stores)} of them: {planned * len(stores)}, lost {lost}, "
        f"twice {twice}, raw left over {unsettled}\n"
        f"from the first third after the warm-up to the last: {grown}; last {seen[-1]}; "
        f"the room holds {len(state.items)} values"
    )
    held_kb = len(state.items) * ITEM_KB
    leaked = grown["descriptors"] > 1 or grown["tasks"] > 2 or grown["rss_kb"] > GROWN_KB + held_kb
    return int(bool(lost or twice or leaked))


def say(text):
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def typical(told, key):
    """Return the median: connections that are open at the moment come and go."""
    return sorted(each[key] for each in told)[len(told) // 2]


if __name__ == "__main__":
    sys.exit(main())
