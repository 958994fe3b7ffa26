"""A session with a Nonin oximeter: what is asked, learnt and kept, whatever answers."""

import asyncio
from datetime import datetime

import pytest

from drivers.contract import Write
from drivers.errors import DeviceMismatch, LinkLost, SettingsError
from drivers.instruments.nonin.driver import KeptBytes
from drivers.model import (
    Chunk,
    InstrumentId,
    Measurement,
    Notice,
    NoticeKind,
    Skipped,
    Waveform,
)
from drivers.protocols import nonin_control as control
from drivers.protocols.nonin import encode
from drivers.protocols.nonin_control import ClockReply, DeviceTypeReply, SerialReply
from drivers.protocols.nonin_df13 import SpotCheck
from drivers.registry import REGISTRY
from drivers.transports.bench import BenchHost
from drivers.transports.memory import KeptLink, MemoryLink
from drivers.transports.recorded_time import RecordedTime
from drivers.virtual.memory_port import speak
from drivers.virtual.nonin import VirtualNonin

ENTRY = REGISTRY["nonin"]
START_NS = 1_767_600_000 * 10**9  # 2026-01-05 08:00 UTC
ALL = ENTRY.writes
IDENTIFY, SELECT, SET = Write.IDENTIFY, Write.SELECT_FORMAT, Write.SET_CLOCK
RECORD = encode(SpotCheck(bytes.fromhex("2026010507593000"), 0x0210, 74, 96))
PACKET = VirtualNonin(1, data_format=2).due(1 / 3)


class Session:
    """The driver on a link in memory; `hear` answers what it writes."""

    def __init__(self, granted=(), options=None, hear=None, *, trusted=True, start_ns=START_NS):
        self.clock = RecordedTime(start_ns, trusted=trusted)
        self.granted = frozenset(granted)
        self.settings = ENTRY.options(options or {})
        self.hear = hear
        self.host = BenchHost(self.clock, self.granted)
        self.items = []

    def run(self, talk):
        self.clock.run(self._run(talk))
        return self

    async def _run(self, talk):
        self.link = MemoryLink(self.clock.now, self.granted, hear=self.hear)
        running = asyncio.ensure_future(
            ENTRY.factory()(self.host, self.settings).run(self.link, self._emit)
        )
        await talk(self)
        self.link.lose()
        with pytest.raises(LinkLost):
            await running

    async def _emit(self, item):
        self.items.append(item)

    def of(self, kind):
        return [item for item in self.items if isinstance(item, kind)]

    @property
    def written(self):
        return [data for _, data in self.link.written]

    @property
    def notices(self):
        return [(notice.kind, notice.text) for notice in self.of(Notice)]


def with_virtual(granted=(), options=None, seconds=20, **scene):
    virtual = VirtualNonin(1, **scene)

    async def talk(session):
        await speak(virtual, session.link, session.clock, seconds)

    return Session(granted, options, virtual.hear).run(talk)


def with_answers(answers, granted=(IDENTIFY,), options=None, spoken=(), **session):
    """Each thing written is answered with the next of `answers`; then 20 s of silence."""
    left = iter(answers)

    async def talk(session):
        for data in spoken:
            session.link.send(data)
        await session.clock.sleep(20)

    return Session(granted, options, lambda _: next(left, b""), **session).run(talk)


def select(data_format):
    return control.select_format(data_format)


def test_nothing_granted_nothing_written():
    assert with_virtual(options={"format": 7}).written == []


def test_a_format_is_selected_first_and_then_sent():
    session = with_virtual([SELECT, IDENTIFY], {"format": 7}, data_format=8)
    assert session.written[0] == select(7)
    assert session.of(Measurement)[-1].evidence[0] == ("data-format", "7")


def test_the_long_form_is_used_where_power_up_is_set():
    options = {"format": 7, "power_up": "bluetooth"}
    session = with_virtual([SELECT], options, data_format=13)
    assert session.written == [bytes.fromhex("02 70 04 02 07 21 9e 03")]
    assert session.of(Waveform)


def test_without_a_format_in_the_settings_none_is_selected():
    assert with_virtual([SELECT]).written == []


def test_each_purpose_is_written_as_what_it_is():
    session = with_virtual(ALL, {"format": 2}, data_format=7, clock_offset_s=500)
    assert [purpose for purpose, _ in session.link.written] == [
        SELECT,
        IDENTIFY,
        IDENTIFY,
        IDENTIFY,
        SET,
        IDENTIFY,
    ]


def test_with_only_the_clock_granted_it_is_read_under_that_grant():
    session = with_virtual([SET], clock_offset_s=500)
    assert {purpose for purpose, _ in session.link.written} == {SET}
    assert session.written == [
        control.GET_CLOCK,
        control.set_clock(datetime.fromisoformat("2026-01-05T08:00:00")),
        control.GET_CLOCK,
    ]


def test_who_answers_is_told_to_the_host():
    session = with_virtual([IDENTIFY], serial="500000042")
    assert session.host.identified == [InstrumentId("nonin", "3150", "500000042", str(0x94))]


def test_a_model_without_a_name_keeps_its_code():
    session = with_answers([encode(DeviceTypeReply(b"\x01\x02"))])
    assert session.host.identified == [InstrumentId("nonin", "device type 01 02")]


@pytest.mark.parametrize("serial", ["\x00" * 9, "12345\r\n#>", "é12345678", " " * 9])
def test_a_serial_number_that_is_no_text_names_nobody(serial):
    session = with_answers([b"", b"", encode(SerialReply(2, serial))])
    assert session.host.identified == []
    assert session.notices == [
        (NoticeKind.REFUSED, "the serial number it gives is not text and is not used")
    ]


def test_the_host_s_refusal_of_a_stranger_ends_the_session():
    class Strict(BenchHost):
        def identify(self, who):
            raise DeviceMismatch(f"not {who.serial}")

    clock = RecordedTime(START_NS)

    async def run():
        link = MemoryLink(clock.now, ALL, hear=lambda _: encode(SerialReply(2, "500000042")))

        async def emit(item):
            pass

        await ENTRY.factory()(Strict(clock, ALL), ENTRY.options({})).run(link, emit)

    with pytest.raises(DeviceMismatch, match="500000042"):
        clock.run(run())


def test_a_silent_instrument_is_asked_each_question_twice_and_then_left_alone():
    session = with_answers([], ALL, {"format": 2})
    asked = [select(2), control.GET_DEVICE_TYPE, control.GET_SERIAL, control.GET_CLOCK]
    assert session.written == [command for command in asked for _ in range(2)]
    assert [kind for kind, _ in session.notices] == [NoticeKind.REFUSED]


def test_all_questions_are_over_before_model_9560_stops_listening():
    times = []

    class Clocked(Session):
        async def _run(self, talk):
            self.hear = lambda _: times.append(self.clock.elapsed_s) or b""
            await super()._run(talk)

    async def silence(session):
        await session.clock.sleep(60)

    Clocked(ALL, {"format": 2}).run(silence)
    assert len(times) == 8
    assert times[-1] <= 5.0


def test_a_refusal_is_told_and_not_repeated():
    session = with_virtual([SELECT], {"format": 13}, model="OEM III")
    assert session.written == [select(13)]
    assert session.notices == [
        (NoticeKind.REFUSED, "Data Format 13 was refused: this model does not have it")
    ]
    assert session.of(Waveform)


def test_a_refused_question_is_not_repeated():
    assert with_answers([b"\x15"] * 3).written == [
        control.GET_DEVICE_TYPE,
        control.GET_SERIAL,
        control.GET_CLOCK,
    ]


def test_answers_in_the_middle_of_packets_cost_no_packet():
    session = with_virtual([IDENTIFY], seconds=10)
    assert session.host.identified
    assert session.of(Skipped) == []
    assert len(session.of(Waveform)) == 30


def test_an_answer_to_another_question_is_not_taken_for_the_one_awaited():
    wrong = encode(ClockReply(bytes.fromhex("1a 01 05 08 00 00"))) + b"\x06"
    session = with_answers([wrong, encode(DeviceTypeReply(b"\x9e\x09"))])
    assert session.host.identified == [InstrumentId("nonin", "9560")]
    assert session.host.counts["replies_unasked"] == 2


def test_replies_that_nobody_asked_for_change_nothing():
    hostile = [
        b"\x06" * 50,
        b"\x15" * 50,
        encode(SerialReply(2, "666666666")) * 5,
        encode(ClockReply(b"\xff" * 6)) * 5,
        b"\x02\xf4\x20" + bytes(40),
    ]
    session = with_answers(hostile, ALL, {"format": 2})
    assert session.of(Measurement) == []
    assert session.host.identified == []
    assert {purpose for purpose, _ in session.link.written} <= {SELECT, IDENTIFY}


def test_a_link_lost_while_asking_loses_nothing_that_had_arrived():
    async def talk(session):
        session.link.send(RECORD)
        session.link.lose()

    session = Session([IDENTIFY]).run(talk)
    assert [item.raw for item in session.of(Measurement)] == [RECORD]


@pytest.mark.parametrize("offset_s", [-3600, 95, 86_400])
def test_a_wrong_clock_is_set_and_proven(offset_s):
    session = with_virtual([IDENTIFY, SET], clock_offset_s=offset_s)
    assert session.notices == [
        (NoticeKind.CLOCK, f"the clock was {offset_s:+.0f} s off and is set")
    ]


def test_a_clock_that_is_right_is_not_set():
    session = with_virtual([IDENTIFY, SET], clock_offset_s=1)
    assert session.written[-1] == control.GET_CLOCK
    assert len(session.written) == 3


def test_the_clock_is_set_to_the_time_of_its_zone():
    session = with_virtual([SET], {"zone": "Asia/Tokyo"})
    assert control.set_clock(datetime.fromisoformat("2026-01-05T17:00:00")) in [
        data[:-2] + b"\0" + data[-1:] for data in session.written
    ]


@pytest.mark.parametrize(
    ("trusted", "start_ns"),
    [pytest.param(False, START_NS, id="not synchronised"), pytest.param(True, 0, id="in 1970")],
)
def test_the_clock_is_not_set_from_a_hub_clock_that_cannot_be_trusted(trusted, start_ns):
    reply = encode(ClockReply(bytes.fromhex("1a 01 05 09 00 00")))
    session = with_answers([reply], [SET], trusted=trusted, start_ns=start_ns)
    assert session.written == [control.GET_CLOCK]
    assert [kind for kind, _ in session.notices] == [NoticeKind.CLOCK]


def test_a_clock_that_does_not_take_the_setting_is_told():
    reply = encode(ClockReply(bytes.fromhex("1a 01 05 09 00 00")))
    session = with_answers([reply, b"", reply], [SET])
    assert session.notices == [(NoticeKind.REFUSED, "the clock was set, but does not show it")]


def test_a_clock_that_shows_no_date_is_told_and_not_used():
    session = with_answers([encode(ClockReply(bytes(6)))], [SET], spoken=[RECORD])
    assert session.notices == [(NoticeKind.CLOCK, "the clock shows no date: set it")]
    assert session.of(Measurement)[0].device_time.age_s is None


def test_stored_records_of_others_come_with_their_age_and_a_fresh_one_with_its_own():
    session = with_virtual(
        [IDENTIFY], data_format=13, backlog=2, spot_at_s=(8.0,), clock_offset_s=95
    )
    ages = [round(item.device_time.age_s / 60) for item in session.of(Measurement)]
    assert ages == [134, 67, 0]


def test_a_record_waits_for_identity_and_clock_and_keeps_the_time_of_its_arrival():
    session = with_virtual([IDENTIFY], data_format=13, backlog=1)
    (record,) = session.of(Measurement)
    assert record.device_time.age_s is not None
    assert record.at.mono_ns < 10**8


def test_without_grants_a_record_is_told_at_once_and_without_an_age():
    session = with_virtual([], data_format=13, backlog=1)
    (record,) = session.of(Measurement)
    assert record.device_time.age_s is None
    assert session.written == []


def test_records_are_kept_before_they_are_decoded_and_each_chunk_is_settled_once():
    session = with_virtual([IDENTIFY], data_format=13, backlog=3, spot_at_s=(8.0,))
    told = [number for item in session.of(Measurement) for number in item.kept]
    assert sorted([*told, *session.host.settled]) == list(range(1, len(session.host.kept) + 1))


def test_a_chunk_with_several_records_is_settled_by_the_last():
    session = with_answers([], granted=(), spoken=[RECORD * 3])
    assert [item.kept for item in session.of(Measurement)] == [(), (), (1,)]


def test_a_record_in_several_chunks_settles_them_all():
    session = with_answers([], granted=(), spoken=[RECORD[:7], RECORD[7:20], RECORD[20:]])
    assert [item.kept for item in session.of(Measurement)] == [(1, 2, 3)]


def test_a_chunk_is_not_settled_while_a_record_from_it_waits():
    settled_at = []

    class Watched(BenchHost):
        async def settle(self, kept):
            settled_at.append((kept, len(session.of(Measurement))))

    async def talk(session):
        session.link.send(RECORD + PACKET)
        await session.clock.sleep(20)

    session = Session([IDENTIFY])
    session.host = Watched(session.clock, session.granted)
    session.run(talk)
    assert settled_at == [(1, 2)]


def test_a_stream_is_kept_only_until_it_is_known_to_be_one():
    session = with_virtual(seconds=10)
    kept = sum(len(chunk.data) for chunk in session.host.kept)
    assert kept < 2 * 125
    assert session.host.settled == set(range(1, len(session.host.kept) + 1))


def test_bytes_are_kept_again_after_a_selection():
    session = with_virtual([SELECT], {"format": 13}, data_format=2, backlog=1)
    (record,) = [item for item in session.of(Measurement) if item.device_time]
    assert record.kept


def test_what_never_became_a_frame_is_settled_when_the_link_is_lost():
    session = with_answers([], granted=(), spoken=[RECORD[:9]])
    assert session.host.settled == {1}
    assert session.items == []


def test_kept_bytes_that_come_again_give_the_same_measurement():
    clock = RecordedTime(START_NS)
    host = BenchHost(clock, ALL)
    items = []

    async def run():
        async def emit(item):
            items.append(item)

        link = KeptLink([Chunk(part, clock.now()) for part in (RECORD[:9], RECORD[9:])])
        with pytest.raises(LinkLost):
            await ENTRY.factory()(host, ENTRY.options({})).run(link, emit)

    clock.run(run())
    assert [item.raw for item in items if isinstance(item, Measurement)] == [RECORD]
    assert host.settled == set()
    assert items[0].kept == (1, 2)


def test_bytes_are_counted_to_the_chunks_they_came_in():
    kept = KeptBytes()
    for number, size in ((1, 10), (None, 5), (2, 5), (3, 1)):
        kept.add(number, size)
    assert [kept.use(9), kept.use(1), kept.use(7), kept.use(3), kept.all()] == [
        (),
        (1,),
        (),
        (2,),
        (3,),
    ]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"format": 3}, "format"),
        ({"format": "13"}, None),
        ({"power_up": "bluetooth"}, "power_up needs a format"),
        ({"zone": "Mars/Olympus"}, "Mars/Olympus"),
        ({"zone": "../../etc/passwd"}, "zone"),
    ],
)
def test_a_wrong_option_is_named(options, said):
    if said is None:
        assert ENTRY.options(options).format == 13
    else:
        with pytest.raises(SettingsError, match=said):
            ENTRY.options(options)
