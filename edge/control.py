"""The room's local door: acts and views as JSON lines, for the service's own user.

line in                                          line out
{"do": "sign-in", "badge": B}                    {"ok": true, "result": ...}
{"do": "scan", "code": C} and so on, see `Act`   {"ok": false, "error": "what to tell the person"}
{"do": "watch"}                                  a view after every change and every second

The socket lies in the state folder with mode 0600. It carries patients' names, so nothing of it is
logged.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import Meta, Struct

from drivers.contract import Wish
from drivers.model import Kind, Unit
from edge.clock import Clock
from edge.desk import Desk, Refused
from edge.store import StoreError
from edge.view import RoomView

LINE_BYTES = 65_536
WATCH_S = 1.0

Short = Annotated[str, Meta(max_length=256)]


class _Act(Struct, frozen=True, forbid_unknown_fields=True, tag_field="do"):
    pass


class SignIn(_Act, frozen=True, tag="sign-in"):
    """Somebody answers for what is done from now on."""

    badge: Short


class SignOut(_Act, frozen=True, tag="sign-out"):
    """Nobody does any more."""


class Scan(_Act, frozen=True, tag="scan"):
    """A wristband or slip was scanned; ends the visit before."""

    code: Short


class ConfirmPatient(_Act, frozen=True, tag="confirm-patient"):
    """Both identifiers were compared: it is this person; `reference` says which one was shown."""

    reference: Short


class NotThisPerson(_Act, frozen=True, tag="not-this-person"):
    """It is not."""


class RoomList(_Act, frozen=True, tag="room-list"):
    """Ask who is expected."""


class Choose(_Act, frozen=True, tag="choose"):
    """Propose one of the room's list."""

    reference: Short


class CheckUnverified(_Act, frozen=True, tag="check-unverified"):
    """Ask again about a patient who was scanned while the record system was away."""


class EndVisit(_Act, frozen=True, tag="end-visit"):
    """The patient leaves."""


class Compare(_Act, frozen=True, tag="compare"):
    """Return whom the file of an ECG names, to be compared with who is in the room."""

    item: int


class Take(_Act, frozen=True, tag="take"):
    """A held or quarantined value is this patient's, `despite` a file that names another.

    A screen gives the `visit` of the view it shows, so that nothing is taken for the next patient.
    """

    item: int
    despite: bool = False
    visit: Short | None = None


class TakeNow(_Act, frozen=True, tag="take-now"):
    """Take an instrument's current value without waiting for it to be steady."""

    instrument: Short
    kind: Kind


class Enter(_Act, frozen=True, tag="enter"):
    """A person counted something over some seconds, or read it off a display, and types it.

    `visit` is that of the view which was shown meanwhile.
    """

    visit: Short
    kind: Kind
    value: float
    unit: Unit
    seconds: float = 0.0
    method: Short = "typed"


class MeasureNow(_Act, frozen=True, tag="measure-now"):
    """Start a measurement of an instrument that takes orders; nothing is kept for later."""

    instrument: Short


class StopMeasuring(_Act, frozen=True, tag="stop-measuring"):
    """End it, as with a cuff that hurts; nobody has to be signed in for that."""

    instrument: Short


class Send(_Act, frozen=True, tag="send"):
    """Let offered values go out."""

    items: Annotated[tuple[int, ...], Meta(max_length=100)]


class Discard(_Act, frozen=True, tag="discard"):
    """A value is none."""

    item: int
    reason: Short


class Wrong(_Act, frozen=True, tag="wrong-patient"):
    """A value is another patient's."""

    item: int


class AnswerPairing(_Act, frozen=True, tag="answer-pairing"):
    """Answer what is asked while a Bluetooth instrument pairs; `agree` false refuses it."""

    instrument: Short
    passkey: Annotated[int, Meta(ge=0, le=999_999)] | None = None
    agree: bool = True


class Look(_Act, frozen=True, tag="view"):
    """Return the room as it is."""


class Watch(_Act, frozen=True, tag="watch"):
    """Return the room after every change, until the line is closed."""


Act: TypeAlias = (
    SignIn
    | SignOut
    | Scan
    | ConfirmPatient
    | NotThisPerson
    | RoomList
    | Choose
    | CheckUnverified
    | EndVisit
    | Compare
    | Take
    | TakeNow
    | Enter
    | MeasureNow
    | StopMeasuring
    | Send
    | Discard
    | Wrong
    | AnswerPairing
    | Look
    | Watch
)


class Answer(Struct, frozen=True, omit_defaults=True):
    """What came of an act."""

    ok: bool
    result: msgspec.Raw | None = None
    error: str = ""


class Door(Struct, frozen=True):
    """What the control needs of the service."""

    desk: Desk
    view: Callable[[], Awaitable[RoomView]]
    change: Callable[[], Awaitable[None]]
    take_now: Callable[[str, Kind], bool]
    wish: Callable[[str, Wish], str | None]
    answer_pairing: Callable[..., None] | None = None


class Control:
    """Serves the socket until cancelled."""

    def __init__(self, path: Path, door: Door, clock: Clock) -> None:
        self._path = path
        self._door = door
        self._clock = clock
        self._serving: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Serve; a socket left by a service that was killed is replaced.

        It takes its place only once nobody else can open it.
        """
        unborn = self._path.with_name(f"{self._path.name}-new")
        unborn.unlink(missing_ok=True)
        server = await asyncio.start_unix_server(self._serve, unborn, limit=LINE_BYTES)
        unborn.chmod(0o600)
        unborn.rename(self._path)
        try:
            # Not serve_forever: from Python 3.12 on, cancelling that waits for every open line.
            await asyncio.Event().wait()
        finally:
            server.close()
            await self._end_lines()
            self._path.unlink(missing_ok=True)

    async def _end_lines(self) -> None:
        """End every line that is still open: a server waits for those who watch, for ever."""
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(self._converse(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)
        await asyncio.wait([task])

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await _line(reader):
                act = _read(line)
                if isinstance(act, Watch):
                    await self._watch(writer)
                    break
                writer.write(_ENCODER.encode(await self._answer(act)) + b"\n")
                await writer.drain()
        except ConnectionError:
            pass  # whoever asked has gone
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _watch(self, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(_ENCODER.encode(await self._door.view()) + b"\n")
            await writer.drain()
            changed = asyncio.ensure_future(self._door.change())
            second = asyncio.ensure_future(self._clock.sleep(WATCH_S))
            try:
                await asyncio.wait({changed, second}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                changed.cancel()
                second.cancel()

    async def _answer(self, act: "Act | Answer") -> Answer:
        if isinstance(act, Answer):
            return act
        try:
            result = await self._steps()[type(act)](act)
        except (Refused, StoreError) as refusal:
            return Answer(ok=False, error=str(refusal))
        return Answer(ok=True, result=msgspec.Raw(_ENCODER.encode(result)))

    async def _take_now(self, act: TakeNow) -> None:
        if not self._door.take_now(act.instrument, act.kind):
            raise Refused(f"{act.instrument} does not stream {act.kind}")

    async def _answer_pairing(self, act: AnswerPairing) -> None:
        if self._door.answer_pairing is None:
            raise Refused("no Bluetooth instrument is in the settings of this hub")
        self._door.answer_pairing(act.instrument, act.passkey, agree=act.agree)

    async def _measure_now(self, act: MeasureNow) -> None:
        self._door.desk.acting()
        self._wish(act.instrument, Wish.MEASURE)

    async def _stop_measuring(self, act: StopMeasuring) -> None:
        self._wish(act.instrument, Wish.STOP)

    def _wish(self, instrument: str, wish: Wish) -> None:
        why_not = self._door.wish(instrument, wish)
        if why_not is not None:
            raise Refused(f"{instrument}: {why_not}")

    async def _enter(self, act: Enter) -> int:
        counted = act.kind, act.value, act.unit, act.seconds, act.method
        return await self._door.desk.enter(*counted, of=act.visit)

    async def _sign_out(self) -> None:
        self._door.desk.sign_out()

    def _steps(self) -> dict[type, Callable[[Any], Awaitable[object]]]:
        """Return what each act does; an act's type chooses the step, which can rely on it."""
        desk = self._door.desk
        return {
            SignIn: lambda act: desk.sign_in(act.badge),
            SignOut: lambda _: self._sign_out(),
            Scan: lambda act: desk.scan(act.code),
            ConfirmPatient: lambda act: desk.confirm_patient(act.reference),
            NotThisPerson: lambda _: desk.not_this_person(),
            RoomList: lambda _: desk.room_list(),
            Choose: lambda act: desk.choose(act.reference),
            CheckUnverified: lambda _: desk.check_unverified(),
            EndVisit: lambda _: desk.close(),
            Compare: lambda act: desk.compare(act.item),
            Take: lambda act: desk.take(act.item, despite=act.despite, of=act.visit),
            TakeNow: self._take_now,
            Enter: self._enter,
            MeasureNow: self._measure_now,
            StopMeasuring: self._stop_measuring,
            Send: lambda act: desk.confirm(act.items),
            Discard: lambda act: desk.discard(act.item, act.reason),
            Wrong: lambda act: desk.wrong_patient(act.item),
            AnswerPairing: self._answer_pairing,
            Look: lambda _: self._door.view(),
        }


async def _line(reader: asyncio.StreamReader) -> bytes:
    """Return the next whole line, none at the end or for one that is nobody's we know: too long."""
    try:
        line = await reader.readline()
    except ValueError:
        return b""
    return line if line.endswith(b"\n") else b""


def _read(line: bytes) -> Act | Answer:
    try:
        return _DECODER.decode(line)
    except msgspec.DecodeError as error:
        return Answer(ok=False, error=f"not an act of this room: {error}")


_ENCODER = msgspec.json.Encoder()
_DECODER: msgspec.json.Decoder[Act] = msgspec.json.Decoder(Act)
