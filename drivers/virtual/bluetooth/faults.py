"""What can go wrong with a Bluetooth stack, by name, to be switched on by a test or a person.

Each is what users of bluetoothd report; the cure is what ends it there, or nothing that a hub does.
"""

from enum import StrEnum


class Fault(StrEnum):
    """One of them, each with its cure."""

    DEAF = "deaf"  # the scan runs and hears nothing; cure: a new scan
    STUCK_DISCOVERY = "stuck-discovery"  # the same, StopDiscovery InProgress; cure: power cycle
    DEAF_UNTIL_RESTART = "deaf-until-restart"  # hears nothing; cure: a restart of the daemon
    CONNECT_ABORTS = "connect-aborts"  # le-connection-abort-by-local, as under Wi-Fi; no cure
    SUBSCRIBE_RAISES = "subscribe-raises"  # StartNotify fails though values came; no cure


_HEARS_NOTHING = frozenset({Fault.DEAF, Fault.STUCK_DISCOVERY, Fault.DEAF_UNTIL_RESTART})


class Faults:
    """The faults that are on."""

    def __init__(self) -> None:
        self._on: set[Fault] = set()

    def __contains__(self, fault: Fault) -> bool:
        return fault in self._on

    @property
    def hears_nothing(self) -> bool:
        """Whether a scan runs in vain."""
        return bool(self._on & _HEARS_NOTHING)

    def begin(self, fault: Fault) -> None:
        """Have a fault from now on."""
        self._on.add(fault)

    def end(self, fault: Fault) -> None:
        """Have it no more, if it was on."""
        self._on.discard(fault)
