"""A private message bus: a dbus-daemon of our own, which may be killed and started again."""

import ctypes
import os
import shutil
import signal
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from drivers.errors import SettingsError

ADDRESS_VARIABLE = "DBUS_SYSTEM_BUS_ADDRESS"
_PR_SET_PDEATHSIG = 1
_LONGEST_SOCKET = 107  # bytes of a path: sun_path of unix(7)

# Everybody who can open the socket may do everything; the socket lies in the caller's folder.
_SETTINGS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <allow own="*"/>
    <allow send_destination="*"/>
    <allow receive_sender="*"/>
  </policy>
</busconfig>
"""


def find_dbus_daemon() -> str:
    """Return the program of the bus, or say how to get it."""
    found = shutil.which("dbus-daemon")
    if found is None:
        raise SettingsError(
            "dbus-daemon is not installed: run `make demo`, which installs it, or "
            "`apt-get install dbus-daemon`"
        )
    return found


class PrivateBus:
    """A bus in a folder, from `start` to `stop`; its address stays the same."""

    def __init__(self, folder: Path) -> None:
        self._program = find_dbus_daemon()
        self._socket = folder / "bus"
        if len(os.fsencode(self._socket)) > _LONGEST_SOCKET:
            raise SettingsError(f"{self._socket} is too long for a socket; take another folder")
        self._log = folder / "bus.log"
        self._settings = folder / "bus.conf"
        self._settings.write_text(_SETTINGS.format(socket=self._socket), "utf-8")
        self.address = f"unix:path={self._socket}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and return when it takes connections."""
        self._socket.unlink(missing_ok=True)
        command = [self._program, f"--config-file={self._settings}", "--nofork", "--print-address"]
        reading, writing = os.pipe()
        with open(reading, "rb") as said, self._log.open("ab") as log:  # noqa: PTH123
            try:
                self._process = subprocess.Popen(  # noqa: S603 - the program that was found
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=writing,
                    stderr=log,
                    preexec_fn=_die_with_parent,  # noqa: PLW1509 - one system call
                )
            finally:
                os.close(writing)
            # It prints its address when it listens, and nothing when it cannot.
            if not said.readline():
                self._end(signal.SIGTERM)
                raise SettingsError(f"{self._program} did not start; see {self._log}")

    def stop(self) -> None:
        """End it in good order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Have it die."""
        self._end(signal.SIGKILL)

    def __enter__(self) -> Self:
        """Start it."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it."""
        self.stop()

    def _end(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
            self._process.wait()
            self._process = None


def _die_with_parent() -> None:
    """Ask the kernel to end the bus with whoever started it, however that ends."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
