"""An ECG cart that leaves its recordings as files in a folder.

The files go on as they are: what reads them is a process of its own with bounds on time and memory.
A file is done with when what it holds is durable; one that cannot be used is set aside with the
reason, and the next one follows.

A cart's clock is never compared with ours. `clock_error_s` is how far the site vouches for it (kept
by NTP, set at every service); without it nothing proves when a recording was made, and a person
decides. `zone` is the time zone the cart is set to, where its files do not say.
"""

from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Meta, Struct

from drivers.contract import Emit, FileLink, FileSetAside, Host
from drivers.errors import FileRefused
from drivers.model import CartClock, EcgFile, Instant, Notice, NoticeKind
from drivers.transports.drop_folder import FolderRules

Seconds = Annotated[float, Meta(ge=0, le=3600)]


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """How the cart writes its files, and what is known of its clock.

    `max_bytes` keeps the original, as the record system gets it, within a packet of 1 MiB.
    """

    settle_s: Seconds = 2.0
    poll_s: Annotated[float, Meta(ge=0.05, le=60)] = 0.5
    max_bytes: Annotated[int, Meta(ge=1024, le=5_000_000)] = 700_000
    zone: str = "UTC"
    clock_error_s: Seconds | None = None

    def __post_init__(self) -> None:
        try:
            ZoneInfo(self.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"zone: no time zone {self.zone!r}; write Europe/Berlin") from error

    @property
    def rules(self) -> FolderRules:
        """When a file in the folder is whole, and how large it may be."""
        return FolderRules(self.settle_s, self.poll_s, self.max_bytes)


class EcgFolder:
    """Hands on file after file."""

    def __init__(self, host: Host, settings: Settings) -> None:
        self._host = host
        self._clock = CartClock(settings.zone, settings.clock_error_s)

    async def run(self, link: FileLink, emit: Emit) -> None:
        """Emit each file; what becomes of it on the link follows from what becomes of it here."""
        async for file in link:
            self._host.count("files")
            if isinstance(file, FileSetAside):
                await self._refused(file.reason, file.at, emit)
                continue
            try:
                await emit(EcgFile(file.data, file.at, self._clock))
            except FileRefused as refused:
                await link.set_aside(file, str(refused))
                await self._refused(str(refused), file.at, emit)
            else:
                await link.done(file)

    async def _refused(self, reason: str, at: Instant, emit: Emit) -> None:
        self._host.count("refused_files")
        await emit(Notice(NoticeKind.SET_ASIDE, f"an ECG file was set aside: {reason}", at))
