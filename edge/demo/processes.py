"""The programs of the demonstration, each a real process that dies with this one."""

import asyncio
import ctypes
import os
import shutil
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from drivers.errors import SettingsError

LOOPBACK = "127.0.0.1"
POLL_S = 0.05
READY_S = 20.0
STOP_S = 10.0
PORT_TRIES = 5
PR_SET_PDEATHSIG = 1

BROKER = """\
listener {port} 127.0.0.1
allow_anonymous true
max_queued_messages 1000000
max_queued_bytes 67108864
persistence false
set_tcp_nodelay true
{user}"""


class Failed(Exception):  # noqa: N818 - a state, told to the person
    """A program did not come up; the message says which and where its log is."""


def find_mosquitto() -> str:
    """Return the broker's program; it is often where only root looks."""
    places = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
    found = shutil.which("mosquitto", path=places)
    if found is None:
        raise SettingsError(
            "mosquitto is not installed: run `make demo`, which installs it, or "
            "`apt-get install mosquitto`"
        )
    return found


@asynccontextmanager
async def broker(folder: Path) -> AsyncIterator[int]:
    """Run a private broker on loopback and yield its port."""
    program = find_mosquitto()
    for _ in range(PORT_TRIES):
        port = _free_port()
        user = "user root\n" if os.geteuid() == 0 else ""
        settings = folder / "mosquitto.conf"
        settings.write_text(BROKER.format(port=port, user=user), "utf-8")
        command = [program, "-c", str(settings)]
        async with program_running("mosquitto", command, folder) as process:
            if await _listens(port, process):
                yield port
                return
    raise Failed(f"mosquitto did not start; see {folder / 'mosquitto.log'}")


@asynccontextmanager
async def verb(
    name: str, arguments: Sequence[str], folder: Path, more: Mapping[str, str] | None = None
) -> AsyncIterator[Process]:
    """Run one of our own verbs, with its log in the folder and `more` in its environment."""
    command = [sys.executable, "-P", "-m", "edge.cli", name, *arguments]
    async with program_running(name, command, folder, more) as process:
        yield process


@asynccontextmanager
async def program_running(
    name: str, command: Sequence[str], folder: Path, more: Mapping[str, str] | None = None
) -> AsyncIterator[Process]:
    """Run a program until the end of the block, its output in ``NAME.log``."""
    with (folder / f"{name}.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=DEVNULL,
            stdout=log,
            stderr=log,
            env={**os.environ, **(more or {})},
            preexec_fn=_die_with_parent,
        )
    try:
        yield process
    finally:
        await _stop(process)


async def until_there(path: Path, process: Process, name: str, folder: Path) -> None:
    """Wait until a program has made its socket or file."""
    await _until(lambda: _is_there(path), process, name, folder)


async def until_said(message: str, process: Process, name: str, folder: Path) -> None:
    """Wait until one of our own programs has logged a message."""
    log = folder / f"{name}.log"
    words = f'"message": "{message}"'
    await _until(lambda: words in log.read_text("utf-8", "replace"), process, name, folder)


async def _until(holds: Callable[[], bool], process: Process, name: str, folder: Path) -> None:
    for _ in range(round(READY_S / POLL_S)):
        if holds():
            return
        if process.returncode is not None:
            break
        await asyncio.sleep(POLL_S)
    raise Failed(f"{name} did not start; see {folder / f'{name}.log'}")


def _is_there(path: Path) -> bool:
    return path.exists()


async def _listens(port: int, process: Process) -> bool:
    for _ in range(round(READY_S / POLL_S)):
        if process.returncode is not None:
            return False
        with suppress(OSError):
            _, writer = await asyncio.open_connection(LOOPBACK, port)
            writer.close()
            await writer.wait_closed()
            return True
        await asyncio.sleep(POLL_S)
    return False


async def _stop(process: Process) -> None:
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        process.terminate()
    try:
        async with asyncio.timeout(STOP_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()


def _free_port() -> int:
    """Return a port that was free a moment ago; mosquitto cannot choose one by itself."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
    return port


def _die_with_parent() -> None:
    """Ask the kernel to end this child with the demonstration, however that ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
