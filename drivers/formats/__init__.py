"""ECG files: one format a module, chosen by content, never by the file's name.

`read_ecg` gives the recording as it is stored or one FormatError that says where and why. Leads are
spelled I II III aVR aVL aVF V1 ... V6 and cart measurements as in `drivers.formats.spelling`,
whatever the file's spelling. Time and memory are linear in the file, which MAX_BYTES limits.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType, ModuleType

from drivers.errors import FormatError
from drivers.formats.signatures import is_scp
from drivers.model import EcgRecording

__all__ = ["FORMATS", "MAX_BYTES", "Format", "format_of", "read_ecg"]

MAX_BYTES = 5_000_000  # twelve leads of ten seconds are below 0.5 MB in every format of carts


@dataclass(frozen=True, slots=True)
class Format:
    """One file format: its name for people, how its files begin, and the module that knows it.

    The module has `read(data) -> EcgRecording`; where `suffix` says how written files are called,
    it also has `encode(recording) -> bytes`.
    """

    title: str
    begins: Callable[[bytes], bool]
    module: str
    suffix: str | None = None

    def load(self) -> ModuleType:
        """Import the format's module."""
        return import_module(self.module)


FORMATS: Mapping[str, Format] = MappingProxyType(
    {"scp": Format("SCP-ECG", is_scp, "drivers.formats.scp", suffix=".scp")}
)


def read_ecg(data: bytes) -> EcgRecording:
    """Return the recording in a file's bytes; FormatError says why there is none."""
    recording: EcgRecording = format_of(data).load().read(data)
    return recording


def format_of(data: bytes) -> Format:
    """Return the format that the bytes are in, or raise FormatError."""
    if len(data) > MAX_BYTES:
        raise FormatError(f"{len(data)} bytes; an ECG file has at most {MAX_BYTES}", MAX_BYTES)
    for known in FORMATS.values():
        if known.begins(data):
            return known
    titles = ", ".join(known.title for known in FORMATS.values())
    raise FormatError(f"not an ECG file of a known format ({titles})", 0)
