"""What is known of a driver without importing it: links, memory, writes, evidence."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import import_module
from types import ModuleType
from typing import Any, cast

import msgspec

from drivers.contract import (
    Decoder,
    Factory,
    FileFactory,
    GattFactory,
    PayloadDecoder,
    Pipe,
    SerialLine,
    Write,
)
from drivers.errors import SettingsError
from drivers.model import Kind, Metric


class Memory(StrEnum):
    """How an instrument's memory can deceive about when, and so whose, a value is."""

    LIVE = "live"  # says only what it measures now
    STICKY = "sticky"  # repeats its last value until the next one
    STAMPED = "stamped"  # stores, with its own time
    SEQUENCED = "sequenced"  # stores, with a record number that only grows
    BLIND = "blind"  # stores, with no proof of when


class LinkKind(StrEnum):
    """What an instrument can be reached by."""

    SERIAL = "serial"
    TCP = "tcp"
    BLE = "ble"
    FOLDER = "folder"
    DICOM = "dicom"


class Confidence(StrEnum):
    """How well the wire format is established."""

    CONFIRMED = "confirmed"  # two or more independent sources agree
    SINGLE = "single"  # one source, or one lineage
    EXPERIMENTAL = "experimental"


@dataclass(frozen=True, slots=True)
class Stable:
    """When a streamed value is worth one measurement: valid and within `within` for `seconds`."""

    seconds: float
    within: Mapping[Metric, float]


@dataclass(frozen=True, slots=True)
class Remembers:
    """The memory of one kind of measurement of one instrument.

    `settle_s` is the longest one measurement or the instrument's averaging can span. `stream` is
    None where each Measurement is a spot value of its own.
    """

    memory: Memory
    settle_s: float
    stream: Stable | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """All that is known of a driver without importing it.

    `driver` is "module:factory", `settings` "module:Struct", `virtual` "module:factory" of the
    virtual instrument; `protocol` is the module that holds `Decoder`, `encode`, `scrub` and
    `MAX_PENDING`, and `decoder_for(frame)` where a decoder may want several frames in a row; of an
    instrument that leaves files it is the package of their formats. `writes` is everything the
    driver can ever be granted to write. With a `pipe` it is reached over Bluetooth LE as over a
    cable.
    `unproven` is what nobody has shown yet of an experimental one.

    `line` is how it is set when it comes, `also` what else it is met with. `rhythm_s` is the time
    between two frames of an instrument that speaks all the while; None where it speaks when it has
    measured, or is asked. `question` changes nothing and is answered by a frame; `detect` puts it
    to a silent port if it may ask.
    """

    title: str
    driver: str
    protocol: str
    settings: str
    virtual: str
    links: frozenset[LinkKind]
    memory: Mapping[Kind, Remembers]
    confidence: Confidence
    sources: str
    unproven: str = ""
    writes: frozenset[Write] = frozenset()
    line: SerialLine = field(default_factory=SerialLine)
    pipe: Pipe | None = None
    matches: str = ""
    also: tuple[SerialLine, ...] = ()
    rhythm_s: float | None = None
    question: bytes = b""

    def factory(self) -> Factory:
        """Import and return what builds the driver."""
        return cast("Factory", _load(self.driver))

    @property
    def is_gatt(self) -> bool:
        """Whether the driver speaks over a GattLink, and its decoder needs channels."""
        return self.links == {LinkKind.BLE} and self.pipe is None

    def gatt_factory(self) -> GattFactory:
        """Import and return what builds a driver over a GattLink."""
        return cast("GattFactory", _load(self.driver))

    @property
    def leaves_files(self) -> bool:
        """Whether the driver takes whole files from a FileLink, and there is no decoder."""
        return self.links == {LinkKind.FOLDER}

    def file_factory(self) -> FileFactory:
        """Import and return what builds a driver over a FileLink."""
        return cast("FileFactory", _load(self.driver))

    def decoder(self, options: Mapping[str, Any] | None = None) -> Decoder:
        """Return a fresh decoder; SettingsError if the instrument's `options` are wrong."""
        self.options(options or {})
        return cast("Decoder", self.protocol_module().Decoder())

    def payload_decoder(self) -> PayloadDecoder:
        """Return a fresh decoder of what comes over a GattLink."""
        return cast("PayloadDecoder", self.protocol_module().Decoder())

    def protocol_module(self) -> ModuleType:
        """Import and return the module of the wire format: Decoder, encode, scrub, MAX_PENDING."""
        return import_module(self.protocol)

    def options(self, table: Mapping[str, Any]) -> Any:  # noqa: ANN401 - each driver has its own Struct
        """Return the driver's checked settings or say which key is wrong."""
        try:
            return msgspec.convert(dict(table), _load(self.settings), strict=False)
        except msgspec.ValidationError as error:
            raise SettingsError(f"{self.title}: {error}") from error

    def simulator(self) -> Any:  # noqa: ANN401 - typed by drivers.virtual, above this layer
        """Import and return the factory of the virtual instrument."""
        return _load(self.virtual)


def _load(target: str) -> object:
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)
