"""What a UA-767PBT and its sister scales send: stamped, taken once, acknowledged when durable."""

import asyncio
from datetime import datetime

import pytest

from drivers.contract import Write
from drivers.instruments.and_ua767.pbt import AndUa767pbt, Settings, measurements
from drivers.model import Flag, Instant, InstrumentId, Kind, Measurement, Metric, Skipped, Status
from drivers.protocols.and_ua767pbt import TAKEN, Ask, Decoder, Packet, encode, head_of, scrub
from drivers.protocols.and_ua767pc import Result
from drivers.transports.bench import BenchHost
from drivers.transports.memory import MemoryLink
from drivers.transports.recorded_time import RecordedTime

AT = Instant(1, 2, trusted=True)
MEASURED = datetime.fromisoformat("2026-01-05T08:00:03")
SENT = datetime.fromisoformat("2026-01-05T08:01:13")

# Logged by an open receiver from a UC-411PBT-C, here without address and serial number.
LOGGED = bytes.fromhex(
    "02005b000000970100dc070915003628dc070916080c1600000000000055432d3431310000000000000000000000"
    "005042542d430000000000f00023"
) + (
    b"ST,+078.05kg\r\nRT,0486.1O\r\nFT,25.4%\r\nHT,+1740mm\r\nBT,01683kc\r\nMT,055.2kg\r\n"
    b"WT,042.5kg\r\nID,01\r\n"
)


def cuff(payload=b"801D4C4152", sent=SENT):
    return encode(Packet(head_of(767, payload, MEASURED, sent), payload))


def told(wire):
    return [
        item
        for said in Decoder().feed(wire)
        if not isinstance(said, Skipped)
        for item in measurements(said, AT)
    ]


def values(item):
    return {r.metric: r.value if r.status is Status.OK else r.status for r in item.readings}


def test_the_logged_packet_is_a_weight_and_a_share_of_fat_with_their_time():
    weight, fat = told(LOGGED)
    assert (weight.kind, values(weight)) == (Kind.WEIGHT, {Metric.WEIGHT: 78.05})
    assert (fat.kind, values(fat)) == (Kind.BODY_COMPOSITION, {Metric.BODY_FAT: 25.4})
    assert weight.device_time.local == datetime.fromisoformat("2012-09-21T00:54:40")
    assert weight.device_time.age_s == 31 * 3600 + 17 * 60 + 42
    assert ("height set", "+1740mm") in weight.evidence


def test_a_cuff_s_packet_is_a_pressure_as_old_as_its_two_times_are_apart():
    (item,) = told(cuff())
    assert values(item) == {Metric.SYSTOLIC: 105, Metric.DIASTOLIC: 76, Metric.PULSE_RATE: 65}
    assert (item.device_time.local, item.device_time.age_s) == (MEASURED, 70)


def test_a_reading_without_a_head_is_told_as_one_from_memory_without_a_time():
    (item,) = told(b"8020423C4C")
    assert values(item)[Metric.SYSTOLIC] == 98
    assert (item.device_time, item.flags) == (None, {Flag.FROM_MEMORY})


@pytest.mark.parametrize(
    ("wire", "asks"),
    [(b"PWCAPI", Ask(b"PWCAPI")), (b"PWRQPI:01", Ask(b"PWRQPI:01"))],
)
def test_what_it_asks_before_a_packet_is_read_and_is_no_value(wire, asks):
    assert Decoder().feed(wire) == [asks]
    assert told(wire) == []


@pytest.mark.parametrize(
    "wire",
    [
        cuff(b"801D4C415"),
        cuff().replace(b"\xff\x02", b"\xff\x03"),
        LOGGED.replace(b"ST,", b"S,,"),
        LOGGED[:11] + b"\x0d" + LOGGED[12:],
    ],
)
def test_a_packet_whose_parts_cannot_be_is_none(wire):
    assert not any(isinstance(said, Packet) for said in Decoder().feed(wire))


def test_scrubbing_takes_address_serial_number_and_user():
    packet = Packet(
        LOGGED[:23] + b"ABCDEF" + LOGGED[29:35] + b"5" * 12 + LOGGED[47:60], LOGGED[60:]
    )
    clean = scrub(packet)
    assert clean == LOGGED.replace(b"ID,01", b"ID,00")


def session(*packets, granted=(Write.FETCH,)):
    clock = RecordedTime()
    link = MemoryLink(clock.now, frozenset(granted))
    host = BenchHost(clock, frozenset(granted))
    items = []

    async def emit(item):
        items.append((item, len(link.written)))

    async def run():
        for packet in packets:
            link.send(packet)
        link.lose()
        await AndUa767pbt(host, Settings()).run(link, emit)

    with pytest.raises(Exception, match="pulled"):
        clock.run(run())
    return items, link, host


def test_what_is_sent_again_is_counted_and_not_taken_twice():
    items, _, host = session(cuff(), cuff(sent=SENT.replace(minute=9)), cuff(b"8020423C4C"))
    assert [values(item)[Metric.SYSTOLIC] for item, _ in items] == [105, 98]
    assert host.counts["results_repeated"] == 1


def test_a_packet_is_taken_only_after_it_was_emitted_and_only_where_granted():
    clock = RecordedTime()
    link = MemoryLink(clock.now, frozenset({Write.FETCH}))
    seen = []

    async def emit(item):
        seen.append((isinstance(item, Measurement), list(link.written)))

    async def run():
        link.send(cuff())
        driver = AndUa767pbt(BenchHost(clock, frozenset({Write.FETCH})), Settings())
        await asyncio.wait_for(driver.run(link, emit), None)

    async def play():
        running = asyncio.ensure_future(run())
        await clock.sleep(1)
        link.lose()
        await asyncio.gather(running, return_exceptions=True)

    clock.run(play())
    assert seen == [(True, [])]
    assert link.written == [(Write.FETCH, TAKEN)]
    assert session(cuff(), granted=())[1].written == []


def test_it_is_known_by_the_name_and_number_it_sends():
    assert session(LOGGED)[2].identified == [InstrumentId("and-ua767pbt", "UC-411", None)]
    assert session(cuff())[2].identified == [InstrumentId("and-ua767pbt", "UA-767PBT", None)]


def test_a_marker_other_than_80_is_a_failed_measurement():
    (item,) = told(cuff(b"0B00000000"))
    assert set(values(item).values()) == {Status.FAILED}
    assert isinstance(Decoder().feed(b"0B00000000")[0], Result)
