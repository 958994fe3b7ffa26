"""How the demonstration tells, waits, compares and chooses: what needs no process."""

import io
import json
from xml.etree import ElementTree

import pytest
from msgspec.structs import replace

from config.load import parse
from drivers.registry import REGISTRY
from edge.assembly import plans
from edge.association import BEFORE
from edge.clock import SystemClock
from edge.demo.air import PlayedAir, Since, air_for
from edge.demo.bedside import Bedside, Handed
from edge.demo.instruments import Wanted, choosable, instruments
from edge.demo.picture import picture
from edge.demo.reading_back import Held, HeldResult, HeldValue, Sent, compare, rows
from edge.demo.scene import SECOND, hub_settings
from edge.demo.telling import GREEN, OVER, Teller, passing_line, spoken, value_line
from edge.demo.visit import aside_line, missing, set_aside, to_compare
from edge.view import LiveView, ReadingView, RoomView, ValueView

PRESSURES = (
    ReadingView("systolic", 124.0, "mm[Hg]", "ok"),
    ReadingView("diastolic", 78.0, "mm[Hg]", "ok"),
    ReadingView("mean-pressure", None, "mm[Hg]", "no-value"),
)
VALUE = ValueView(
    item=7,
    kind="blood-pressure",
    readings=PRESSURES,
    origin="measured",
    instrument="cuff",
    device="Virtual BP",
    taken="2026-01-05T08:10:30.000+00:00",
    clock_trusted=True,
    state="offered",
    reason="",
    flags=(),
    result_id="r-1",
    filed=None,
)
CUFF = Wanted("cuff", "blood-pressure")
SINCE = "2026-01-05T08:10:00.000+00:00"


def room(*values, since=SINCE, live=()):
    return RoomView(
        patient=("A", "B"),
        verified=True,
        since=since,
        values=values,
        held=0,
        quarantined=0,
        refused=0,
        unsent=0,
        live=live,
        clock_trusted=True,
    )


def value(**changed):
    return replace(VALUE, **changed)


# ---- telling


class Screen(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)


@pytest.mark.usefixtures("terminal")
def test_only_the_mark_is_in_colour_and_only_on_a_terminal():
    screen, pipe = Screen(), io.StringIO()
    Teller(screen).good("filed")
    Teller(pipe).good("filed")
    assert screen.getvalue() == f"  {GREEN}✓\x1b[0m filed\n"
    assert pipe.getvalue() == "  ✓ filed\n"


@pytest.mark.usefixtures("terminal")
def test_who_wants_no_colour_gets_none(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    screen = Screen()
    Teller(screen).bad("no")
    assert screen.getvalue() == "  ✗ no\n"


@pytest.mark.usefixtures("terminal")
def test_what_passes_is_written_over_by_what_stays_and_never_piped():
    screen, pipe = Screen(), io.StringIO()
    for out in (screen, pipe):
        tell = Teller(out)
        tell.passing("3 s")
        tell.passing("4 s")
        tell.good("filed")
    assert screen.getvalue().count(OVER) == 2
    assert screen.getvalue().count("\n") == 1
    assert pipe.getvalue() == "  ✓ filed\n"


def test_a_pressure_is_spoken_as_people_write_it_and_what_is_missing_says_why():
    assert spoken(PRESSURES) == "124/78 mmHg, mean none (no-value)"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({}, "08:10:30  cuff            124/78 mmHg"),
        ({"origin": "derived"}, "derived from its ECG"),
        ({"origin": "entered", "instrument": "by-hand"}, "by hand         124/78"),
        ({"clock_trusted": False}, "clock not synchronised"),
        ({"flags": ("irregular-pulse", "good-quality")}, "mmHg, mean none (no-value) (uneven"),
        ({"readings": PRESSURES[2:]}, "no blood pressure: no value"),
        ({"readings": (), "kind": "ecg12-waveform"}, "12-lead ECG, waveform"),
    ],
)
def test_a_value_is_told_with_its_time_its_source_and_how_it_was_made(changed, said):
    assert said in value_line(value(**changed))


def test_the_passing_line_shows_what_is_measured_now_once():
    now = (ReadingView("spo2", 97.0, "%", "ok"), ReadingView("pulse-rate", None, "/min", "off"))
    live = [LiveView(name, "oximetry", now, "measured", 0.2) for name in ("a", "b")]
    line = passing_line(room(live=tuple(live)), 3.2, ["cuff", "cuff", "scale"])
    assert line == "   3 s   SpO2 97 %   (waiting for cuff, scale)"


# ---- waiting and taking


@pytest.mark.parametrize("state", ["offered", "accepted", "queued", "filed"])
def test_what_was_offered_or_went_on_from_there_has_come(state):
    assert missing(room(value(state=state)), [CUFF]) == []


def test_a_value_that_says_why_there_is_none_has_come():
    assert missing(room(value(state="shown", reason="no value")), [CUFF]) == []


@pytest.mark.parametrize(
    "other",
    [
        {"state": "quarantined", "reason": BEFORE},
        {"instrument": "other"},
        {"kind": "oximetry"},
        {"origin": "derived"},
        {"state": "shown", "taken": "2026-01-05T07:00:00.000+00:00"},
    ],
)
def test_another_value_is_not_the_one_that_is_waited_for(other):
    assert missing(room(value(**other)), [CUFF]) == [CUFF]


def test_of_any_kind_the_first_value_of_an_instrument_will_do():
    assert missing(room(value()), [Wanted("cuff")]) == []


def test_a_value_of_this_visit_that_proves_too_little_is_compared_with_the_display():
    doubtful = value(state="quarantined", reason=BEFORE)
    assert to_compare(room(doubtful), doubtful, [CUFF])
    assert not set_aside(room(doubtful), doubtful)


@pytest.mark.parametrize(
    "other",
    [
        {"taken": "2026-01-05T07:00:00.000+00:00"},
        {"reason": "first value seen from an instrument that repeats its last one"},
    ],
)
def test_a_value_of_before_or_of_unknown_age_is_set_aside(other):
    doubtful = value(**{"state": "quarantined", "reason": BEFORE} | other)
    assert not to_compare(room(doubtful), doubtful, [CUFF])
    assert set_aside(room(doubtful), doubtful)


def test_nobody_takes_a_value_that_this_visit_does_not_wait_for():
    doubtful = value(state="quarantined", reason=BEFORE)
    assert not to_compare(room(doubtful), doubtful, [Wanted("scale")])


def test_values_of_others_are_told_by_number_and_time_and_never_by_what_they_are():
    aside = [value(taken=f"2026-01-05T0{hour}:10:30.000+00:00") for hour in (5, 7, 6)]
    assert aside_line(aside) == "3 values taken 05:10 to 07:10, before this visit: set aside"


# ---- reading back


def held(kind="blood-pressure", **changed):
    lines = [
        {"metric": "systolic", "value": 124.0, "unit": "mm[Hg]"},
        {"metric": "diastolic", "value": 78.0, "unit": "mm[Hg]"},
        {"metric": "mean-pressure", "value": None, "unit": None},
    ]
    shared = {
        "result_id": "r-1",
        "time": VALUE.taken,
        "subject": "Patient/1",
        "origin": "measured",
        "withdrawn": False,
    }
    named = {"result_id": "r-1", "kind": kind, "subject": "Patient/1", "withdrawn": False}
    also = {key: value for key, value in changed.items() if key in named}
    values = [HeldValue(**shared | line | changed) for line in lines]
    return Held([HeldResult(**named | also)], values)


SENT = [Sent(VALUE, "Patient/1")]
WAVEFORM = [Sent(value(kind="ecg12-waveform", readings=()), "Patient/1")]


def test_what_is_held_as_it_was_sent_differs_in_nothing():
    assert compare(SENT, held()) == []
    assert [row[-1] for row in rows(SENT, held())] == ["✓ 3 equal"]


def test_a_result_without_a_value_is_held_or_it_is_not():
    there = Held(held(kind="ecg12-waveform").results, [])
    assert compare(WAVEFORM, there) == []
    assert rows(WAVEFORM, there)[0][2:] == ("12-lead ECG, waveform", "", "✓ held")
    assert len(compare(WAVEFORM, Held([], []))) == 1


@pytest.mark.parametrize("changed", [{"value": 125.0}, {"unit": "kPa"}, {"origin": "derived"}])
def test_a_value_a_unit_or_an_origin_that_differs_is_found(changed):
    assert len(compare(SENT, held(**changed))) == 3
    assert rows(SENT, held(**changed))[0][-1].startswith("✗")


def test_a_result_of_another_patient_or_another_kind_is_found():
    assert len(compare(SENT, held(subject="Patient/2"))) == 4
    assert len(compare(SENT, held(kind="oximetry"))) == 1


def test_what_is_missing_what_was_withdrawn_and_what_was_never_sent_is_found():
    assert len(compare(SENT, Held([], []))) == 4
    assert len(compare(SENT, held(withdrawn=True))) == 4
    assert len(compare([], held())) == 4


def test_a_twelve_lead_ecg_is_spoken_as_a_cart_shows_it():
    said = {
        "heart-rate": 68.2,
        "pr-interval": 160.0,
        "qrs-duration": 94.0,
        "qt-interval": 388.0,
        "qtc-bazett": 413.0,
        "qrs-axis": -12.0,
    }
    readings = [ReadingView(name, number, "", "ok") for name, number in said.items()]
    assert spoken(readings) == "12-lead ECG 68 /min, PR 160, QRS 94, QT/QTc 388/413 ms, axis -12°"


# ---- the room


def test_every_instrument_that_can_be_chosen_gives_settings_a_hub_accepts(tmp_path):
    chosen = instruments(1, "healthy", choosable())
    assert {each.driver for each in chosen} == set(choosable())
    link = Bedside(tmp_path, 1, chosen).link
    checked = plans(parse(hub_settings(tmp_path, 1883, chosen, link), "hub.toml"))
    assert [plan.driver for plan in checked] == [each.driver for each in chosen]


def test_nothing_is_set_started_or_emptied_by_the_demonstration():
    allowed = {purpose for each in instruments(1, "healthy", choosable()) for purpose in each.allow}
    assert not allowed & {"set-clock", "start-measurement", "delete-records"}


async def test_a_bluetooth_instrument_is_switched_on_once_and_started_on_somebody(tmp_path):
    bedside = Bedside(tmp_path, 1, instruments(1, "healthy"))
    bedside.air = PlayedAir(tmp_path, 0, 1)
    cuff = next(each for each in bedside.room if each.name == "cuff")
    assert not (tmp_path / "cuff.json").exists()
    assert cuff in await bedside.switch_on()
    assert await bedside.switch_on() == ()
    bedside.start(cuff, SECOND)
    ((at_s, who),) = json.loads((tmp_path / "cuff.json").read_bytes())["starts"]
    assert who == 2
    assert at_s > bedside.elapsed_s


def test_on_the_radio_an_instrument_keeps_the_time_of_the_room_and_has_its_own_address():
    since = Since(REGISTRY["ble-scale"].simulator()(1, measure_at_s=()), "C0:FF:EE:00:01:07", 30.0)
    since.start(31.0, None)
    assert not since.calls(1.0)
    assert since.calls(6.0)
    assert since.peer.address.endswith("07")


def test_without_the_radio_instruments_are_played(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda _: None)
    air = air_for(tmp_path, SystemClock(), 0, 1, instruments(1, "healthy"))
    assert isinstance(air, PlayedAir)


def test_an_instrument_that_is_put_on_somebody_else_goes_on_from_now():
    factory = REGISTRY["ivy-450c"].simulator()
    handed = Handed(factory(1, patient_seed=1))
    handed.due(5.0)
    handed.put_on(factory(1, patient_seed=2))
    other = factory(1, patient_seed=2)
    other.due(5.0)
    assert handed.due(6.0) == other.due(6.0)


# ---- the picture


def test_the_picture_holds_every_line_and_is_well_formed():
    lines = [
        "vitals-edge: a room",
        "",
        "  ✓ filed <once> & for all",
        "  patient   taken",
        "x" * 300,
    ]
    drawn = ElementTree.fromstring(picture(lines))  # noqa: S314 - our own text
    texts = ["".join(each.itertext()) for each in drawn.iter() if each.tag.endswith("text")]
    assert texts[:3] == ["vitals-edge: a room", "✓", "filed <once> & for all"]
    assert texts[-1].endswith("…")
