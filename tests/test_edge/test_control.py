"""The room's local door: who may open it, what it answers, and what it does with nonsense."""

import asyncio
import json
import stat
from contextlib import asynccontextmanager, suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from drivers.contract import Wish
from drivers.model import Kind
from edge.chronicle import Chronicle
from edge.clock import SystemClock
from edge.contract.dialogue import (
    Operator,
    OperatorReply,
    OperatorRequest,
    Patient,
    PatientReply,
    RoomListReply,
    RoomListRequest,
)
from edge.control import LINE_BYTES, Control, Door
from edge.desk import Desk
from edge.events import HubStarted, Policy
from edge.live import Live
from edge.observation import Moment
from edge.store import Store, StoreFull
from edge.view import view_of

ERIKA = Patient("Patient/p-17", ("Example, Erika", "1964-08-12"))


async def ask(request):
    """A record system in which everybody is the same."""
    named = {"correlation_id": request.correlation_id}
    if isinstance(request, OperatorRequest):
        return OperatorReply(**named, operator=Operator("Practitioner/5", "R. Amsel"))
    if isinstance(request, RoomListRequest):
        return RoomListReply(**named, patients=(ERIKA,))
    return PatientReply(**named, patients=(ERIKA,))


class Client:
    """One line to the door."""

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer

    async def say(self, line):
        self.writer.write(line)
        await self.writer.drain()

    async def hear(self):
        return json.loads(await self.reader.readline())

    async def do(self, name, **fields):
        await self.say(json.dumps({"do": name, **fields}).encode() + b"\n")
        return await self.hear()


class Room:
    """A running control with a room behind it."""

    def __init__(self, path, chronicle, clock, serving):
        self.path = path
        self.chronicle = chronicle
        self.clock = clock
        self.serving = serving

    @asynccontextmanager
    async def line(self):
        reader, writer = await asyncio.open_unix_connection(self.path)
        try:
            yield Client(reader, writer)
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def happen(self):
        now = Moment.of(self.clock.now(), self.clock.era)
        await self.chronicle.record(
            HubStarted(at=now, run="run-1", software="tests", policy=Policy())
        )


@asynccontextmanager
async def running(folder, view=None):
    clock = SystemClock(assume_trusted=True)
    async with await Store.open(folder / "hub.db", clock=clock, inline=True) as store:
        chronicle = await Chronicle.resumed(store)
        desk = Desk(chronicle, clock, ask, store.subject, "run-1")

        async def look():
            state = chronicle.state
            key = state.association.subject if state.association else None
            subject = await store.subject(key) if key else None
            return view_of(state, subject, Live(), clock.now())

        door = Door(desk, view or look, chronicle.change, lambda *what: what == OXIMETER, wish)
        path = folder / "control.sock"
        serving = asyncio.ensure_future(Control(path, door, clock).run())
        while not path.is_socket():  # noqa: ASYNC110 - its coming to be is what is waited for
            await asyncio.sleep(0)
        try:
            yield Room(path, chronicle, clock, serving)
        finally:
            serving.cancel()
            with suppress(asyncio.CancelledError):
                await serving


OXIMETER = ("oximeter", Kind.OXIMETRY)


def wish(instrument, wanted):
    """The cuff measures already, so it can only be stopped."""
    return None if (instrument, wanted) == ("cuff", Wish.STOP) else "it is measuring already"


@pytest.fixture
async def room(tmp_path):
    async with running(tmp_path) as room:
        yield room


@pytest.fixture
async def client(room):
    async with room.line() as client:
        yield client


async def test_only_the_services_own_user_can_open_the_door(room):
    status = room.path.stat()
    assert stat.S_ISSOCK(status.st_mode)
    assert stat.S_IMODE(status.st_mode) == 0o600


async def test_a_socket_left_by_a_killed_service_is_replaced(tmp_path):
    (tmp_path / "control.sock").write_text("left")
    async with running(tmp_path) as room, room.line() as client:
        assert (await client.do("view"))["ok"]


async def test_the_socket_is_gone_when_the_service_ends(tmp_path):
    async with running(tmp_path) as room:
        pass
    assert not room.path.exists()


async def test_a_whole_visit_goes_through_the_door(client):
    assert (await client.do("sign-in", badge="B-5"))["result"]["reference"] == "Practitioner/5"
    candidate = (await client.do("scan", code="0017-4"))["result"]
    assert candidate["patient"]["display"] == list(ERIKA.display)
    shown = candidate["patient"]["reference"]
    assert (await client.do("confirm-patient", reference=shown))["ok"]
    assert (await client.do("view"))["result"]["patient"] == list(ERIKA.display)
    assert (await client.do("end-visit"))["ok"]
    assert (await client.do("view"))["result"]["patient"] is None


async def test_the_rooms_list_is_shown_and_chosen_from(client):
    await client.do("sign-in", badge="B-5")
    (listed,) = (await client.do("room-list"))["result"]
    assert (await client.do("choose", reference=listed["reference"]))["ok"]
    assert (await client.do("not-this-person"))["ok"]
    answer = await client.do("confirm-patient", reference=listed["reference"])
    assert (answer["ok"], "no patient to confirm" in answer["error"]) == (False, True)


async def test_a_confirmation_says_who_was_shown_or_is_none(client):
    await client.do("sign-in", badge="B-5")
    await client.do("scan", code="0017-4")
    unsaid = await client.do("confirm-patient")
    other = await client.do("confirm-patient", reference="Patient/p-18")
    assert (unsaid["ok"], "reference" in unsaid["error"]) == (False, True)
    assert (other["ok"], "compare again" in other["error"]) == (False, True)
    assert (await client.do("view"))["result"]["patient"] is None


async def test_what_is_refused_is_said_in_the_words_for_the_person(client):
    answer = await client.do("scan", code="0017-4")
    assert answer == {"ok": False, "error": "nobody is signed in: scan your badge"}


@pytest.mark.parametrize(
    ("act", "fields"),
    [
        ("take", {"item": 7}),
        ("send", {"items": [7]}),
        ("discard", {"item": 7, "reason": "moved"}),
        ("wrong-patient", {"item": 7}),
    ],
)
async def test_acts_about_a_value_that_is_not_there_are_refused(client, act, fields):
    await client.do("sign-in", badge="B-5")
    await client.do("scan", code="0017-4")
    await client.do("confirm-patient", reference=ERIKA.reference)
    answer = await client.do(act, **fields)
    assert (answer["ok"], "no value 7" in answer["error"]) == (False, True)


async def test_a_current_value_is_taken_from_what_streams_it_and_refused_elsewhere(client):
    assert (await client.do("take-now", instrument="oximeter", kind="oximetry"))["ok"]
    answer = await client.do("take-now", instrument="scale", kind="weight")
    assert answer == {"ok": False, "error": "scale does not stream weight"}


async def test_a_counted_rate_is_entered_and_what_cannot_be_one_is_answered_in_words(client):
    await client.do("sign-in", badge="B-5")
    await client.do("scan", code="0017-4")
    await client.do("confirm-patient", reference=ERIKA.reference)
    visit = (await client.do("view"))["result"]["visit"]
    typed = {"kind": "respiration", "unit": "/min", "visit": visit}
    assert (await client.do("enter", value=16, **typed))["ok"]
    answer = await client.do("enter", value=1600, **typed)
    assert answer["error"].endswith("outside 3 to 120; type it again")


async def test_a_measurement_is_started_by_somebody_who_is_signed_in_and_stopped_by_anybody(client):
    answer = await client.do("measure-now", instrument="cuff")
    assert answer == {"ok": False, "error": "nobody is signed in: scan your badge"}
    assert (await client.do("stop-measuring", instrument="cuff"))["ok"]
    await client.do("sign-in", badge="B-5")
    answer = await client.do("measure-now", instrument="cuff")
    assert answer == {"ok": False, "error": "cuff: it is measuring already"}


async def test_signing_out_ends_what_a_person_may_do(client):
    await client.do("sign-in", badge="B-5")
    assert (await client.do("sign-out"))["ok"]
    assert not (await client.do("scan", code="0017-4"))["ok"]


async def test_there_is_nothing_to_check_when_everybody_is_verified(client):
    assert (await client.do("check-unverified"))["result"] is None


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"hello\n",
        b"{}\n",
        b"[]\n",
        b"\xff\xfe\n",
        b'{"do": "nothing"}\n',
        b'{"do": "scan"}\n',
        b'{"do": "scan", "code": 7}\n',
        b'{"do": "scan", "code": "1", "and": "more"}\n',
        b'{"do": "scan", "code": "' + b"1" * 300 + b'"}\n',
        b'{"do": "take", "item": "7"}\n',
        b'{"do": "enter", "kind": "weight", "value": 70, "unit": "kg"}\n',
        b'{"do": "send", "items": [' + b",".join([b"1"] * 101) + b"]}\n",
        b"[" * 5000 + b"\n",
    ],
)
async def test_a_line_that_is_no_act_is_answered_and_the_next_one_works(client, line):
    await client.say(line)
    answer = await client.hear()
    assert answer["ok"] is False
    assert answer["error"].startswith("not an act of this room")
    assert (await client.do("view"))["ok"]


async def test_a_line_longer_than_any_act_ends_that_connection_and_no_other(room, client):
    async with room.line() as other:
        with suppress(ConnectionError):
            await other.say(b"x" * (2 * LINE_BYTES))
            assert await other.reader.read() == b""
    assert (await client.do("view"))["ok"]


async def test_half_a_line_is_no_act(room, client):
    async with room.line() as other:
        await other.do("sign-in", badge="B-5")
        await other.do("scan", code="0017-4")
        await other.say(b'{"do": "confirm-patient", "reference": "Patient/p-17"}')
        other.writer.write_eof()
        assert await other.reader.read() == b""
    assert (await client.do("view"))["result"]["patient"] is None


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(line=st.binary(max_size=200).filter(lambda line: b"\n" not in line))
def test_no_line_ends_the_door(tmp_path, line):
    async def main():
        async with running(tmp_path) as room:
            async with room.line() as client:
                await client.say(line + b"\n")
                assert (await client.hear())["ok"] is False
            async with room.line() as client:
                assert (await client.do("view"))["ok"]
            assert not room.serving.done()

    asyncio.run(main())


async def test_who_watches_sees_the_room_and_every_change_of_it(room, client):
    await client.say(b'{"do": "watch"}\n')
    assert (await client.hear())["patient"] is None
    async with room.line() as desk:
        await desk.do("sign-in", badge="B-5")
        await desk.do("scan", code="0017-4")
        await desk.do("confirm-patient", reference=ERIKA.reference)
        while (view := await client.hear())["patient"] is None:
            pass
        assert view["patient"] == list(ERIKA.display)


async def test_who_watches_hears_again_when_nothing_happens(client):
    await client.say(b'{"do": "watch"}\n')
    assert [(await client.hear())["patient"] for _ in range(2)] == [None, None]


async def test_who_stops_watching_leaves_the_room_as_it_is(room, client):
    async with room.line() as watching:
        await watching.say(b'{"do": "watch"}\n')
        await watching.hear()
    await room.happen()
    await room.happen()
    assert (await client.do("view"))["ok"]


async def test_the_service_ends_while_somebody_watches(room, client):
    await client.say(b'{"do": "watch"}\n')
    await client.hear()
    room.serving.cancel()
    with suppress(asyncio.CancelledError):
        await room.serving
    while await client.reader.readline():
        pass
    assert not room.path.exists()


async def test_a_full_store_is_said_to_the_person_who_acts(tmp_path):
    async def full():
        raise StoreFull("the store is full")

    async with running(tmp_path, view=full) as room, room.line() as client:
        assert await client.do("view") == {"ok": False, "error": "the store is full"}
        assert (await client.do("sign-in", badge="B-5"))["ok"]


async def test_nothing_of_a_patient_is_logged(room, client, caplog):
    caplog.set_level("DEBUG")
    await client.do("sign-in", badge="B-5")
    await client.do("scan", code="0017-4")
    await client.do("confirm-patient", reference=ERIKA.reference)
    await client.say(b'{"do": "scan", "code": 0017-4}\n')
    await client.hear()
    await room.happen()
    assert not [word for word in ("Erika", "p-17", "0017-4") if word in caplog.text]
