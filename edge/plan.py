"""What the settings say of one instrument, checked."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, TypeAlias

from drivers.contract import ByteLink, FileLink, GattLink, Write
from drivers.model import Instant, InstrumentId
from drivers.registry import Entry

AnyLink: TypeAlias = ByteLink | GattLink | FileLink


@dataclass(frozen=True, slots=True)
class Plan:
    """One instrument of the settings, checked: how to reach it and what it may be told.

    `address` is that of an enrolled Bluetooth instrument, by which it is known if nothing else.
    """

    name: str
    driver: str
    entry: Entry
    options: Any
    open: Callable[[Callable[[], Instant]], AbstractAsyncContextManager[AnyLink]]
    granted: frozenset[Write] = frozenset()
    serial: str | None = None
    address: str | None = None

    @property
    def identity(self) -> InstrumentId:
        """Who it is before it has said so."""
        return InstrumentId(self.driver)

    @property
    def is_awaited(self) -> bool:
        """Whether it calls when it has something to say, as over Bluetooth LE."""
        return self.entry.is_gatt or self.address is not None
