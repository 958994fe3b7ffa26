"""What tests share: a real Mosquitto that they may kill, and a bench of Bluetooth instruments."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from drivers.virtual.bluetooth.bus import ADDRESS_VARIABLE
from drivers.virtual.bluetooth.ward import Ward
from edge.clock import SystemClock

START_S = 10
PATHS = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])


class Mosquitto:
    """One broker process; what it remembers outlives it, as far as Mosquitto sees to that."""

    def __init__(self, folder: Path, *settings: str) -> None:
        program = shutil.which("mosquitto", path=PATHS)
        if program is None:
            pytest.fail("the system tests need Mosquitto: apt-get install mosquitto")
        self.port = free_port()
        self.url = f"mqtt://127.0.0.1:{self.port}"
        self.config = folder / "mosquitto.conf"
        self.log = folder / "mosquitto.log"
        lines = [
            f"listener {self.port} 127.0.0.1",
            *(["user root"] if os.geteuid() == 0 else []),
            *("persistence true", f"persistence_location {folder}/", "autosave_interval 1"),
            *("autosave_on_changes true", "max_queued_messages 1000000", *settings),
        ]
        if not any(line.startswith(("password_file", "allow_anonymous")) for line in settings):
            lines.append("allow_anonymous true")
        self.config.write_text("\n".join(lines) + "\n", "utf-8")
        self._command = [program, "-c", str(self.config)]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and return when it accepts connections."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        last = time.monotonic() + START_S
        while not answers(self.port):
            if self._process.poll() is not None or time.monotonic() > last:
                pytest.fail(f"Mosquitto did not start: {self.log.read_text('utf-8')}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop in good order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Let it die as in a power cut."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Let it stand still: connections stay open, nothing is answered."""
        if self._process is not None:
            self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on where it stood still."""
        if self._process is not None:
            self._process.send_signal(signal.SIGCONT)

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait()
            self._process = None


def free_port() -> int:
    """Return a TCP port that nobody listens on now."""
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def answers(port: int) -> bool:
    """Return whether somebody listens on a port."""
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def mosquitto_with(tmp_path: Path) -> Iterator[Callable[..., Mosquitto]]:
    """A way to start brokers with settings of the test's own."""
    brokers: list[Mosquitto] = []

    def start(*settings: str) -> Mosquitto:
        folder = tmp_path / f"mosquitto-{len(brokers)}"
        folder.mkdir()
        brokers.append(Mosquitto(folder, *settings))
        brokers[-1].start()
        return brokers[-1]

    yield start
    for broker in brokers:
        broker.resume()
        broker.stop()


@pytest.fixture
def mosquitto(tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker that is running, alone and empty."""
    folder = tmp_path / "mosquitto"
    folder.mkdir()
    broker = Mosquitto(folder)
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
async def ward(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Ward]:
    """An empty bench, whose bus is the system's for whoever asks in this test."""
    async with Ward(tmp_path, SystemClock(assume_trusted=True)) as ward:
        monkeypatch.setenv(ADDRESS_VARIABLE, ward.address)
        yield ward
