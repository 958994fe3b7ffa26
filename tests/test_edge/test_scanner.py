"""A barcode reader signs people in and names patients; what it cannot use is said, not shown."""

import asyncio
import logging
import re
from contextlib import asynccontextmanager

import pytest

from config.load import SettingsError, parse
from drivers.errors import LinkNotFound
from drivers.protocols.barcode import Decoder
from drivers.transports.memory import MemoryLink
from drivers.transports.recorded_time import RecordedTime
from edge.desk import Refused
from edge.scanner import BOTH, NO_CODE, NO_RULE, BarcodeReader, Rules, Use

RULES = Rules(
    {
        Use.WRISTBAND: re.compile(r"P(\d{4,12})"),
        Use.SLIP: re.compile(r"S\d{6}"),
        Use.BADGE: re.compile(r"B-\d+|X\d{6}"),
    }
)


def played(*scans, rules=RULES, absent=0):
    """What people were taken to do, and the view after each scan; scans are bytes and seconds."""
    clock, acts, views = RecordedTime(), [], []
    left = iter(range(absent))

    @asynccontextmanager
    async def opener():
        if next(left, None) is not None:
            raise LinkNotFound("/dev/ttyUSB7: there is no such port")
        yield played.link

    async def sign_in(badge):
        acts.append(("sign-in", badge))

    async def scan(code):
        if not acts:
            raise Refused("nobody is signed in: scan your badge")
        acts.append(("scan", code))

    uses = {Use.WRISTBAND: scan, Use.SLIP: scan, Use.BADGE: sign_in}

    async def run():
        played.link = MemoryLink(clock.now)
        reader = BarcodeReader(opener, Decoder, rules, uses, clock)
        running = asyncio.ensure_future(reader.run())
        await clock.sleep(60 if absent else 0.1)
        for data, wait_s in scans:
            played.link.send(data)
            await clock.sleep(wait_s)
            views.append(reader.view())
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    clock.run(run())
    return acts, views


def test_a_badge_signs_in_and_a_wristband_or_slip_names_the_patient():
    acts, views = played((b"B-7\r\n", 5), (b"P00174\r\n", 5), (b"S001234\r\n", 5))
    assert acts == [("sign-in", "B-7"), ("scan", "00174"), ("scan", "S001234")]
    assert {view.word for view in views} == {""}
    assert {view.state for view in views} == {"ready"}


def test_what_the_desk_refuses_is_said_until_a_scan_is_taken():
    _, views = played((b"P00174\r", 5), (b"B-7\r", 5))
    assert [view.word for view in views] == ["nobody is signed in: scan your badge", ""]


def test_a_code_that_comes_again_at_once_is_one_scan_and_later_another():
    acts, _ = played((b"B-7\rB-7\r", 1), (b"P00174\r", 1), (b"P00174\r", 9), (b"P00174\r", 1))
    assert acts == [("sign-in", "B-7"), ("scan", "00174"), ("scan", "00174")]


@pytest.mark.parametrize(
    ("scan", "word"),
    [(b"4006381333931\r", NO_RULE), (b"\xff\x00\x12\r", NO_CODE), (b"\r", NO_CODE)],
)
def test_a_code_that_is_none_of_the_site_s_is_said_and_never_shown_or_logged(scan, word, caplog):
    caplog.set_level(logging.DEBUG)
    acts, views = played((scan, 2))
    assert (acts, [view.word for view in views]) == ([], [word])
    assert "4006381333931" not in caplog.text + word


def test_a_code_that_could_be_a_patient_s_and_a_badge_is_refused():
    rules = Rules({Use.SLIP: re.compile(r".\d{6}"), Use.BADGE: RULES.patterns[Use.BADGE]})
    acts, views = played((b"X123456\r", 2), rules=rules)
    assert (acts, views[0].word) == ([], BOTH)


def test_a_code_of_which_two_rules_ask_for_different_parts_is_refused():
    forms = {Use.WRISTBAND: r"P(\d+)", Use.SLIP: r"P(\d{4})\d*", Use.BADGE: r"B-\d+"}
    rules = Rules({use: re.compile(form) for use, form in forms.items()})
    acts, views = played((b"B-7\r", 5), (b"P123456\r", 2), rules=rules)
    assert (acts, views[-1].word) == ([("sign-in", "B-7")], BOTH)


def test_the_rest_of_a_code_that_was_cut_off_is_not_put_before_the_next():
    acts, views = played((b"B-", 5), (b"B-7\r", 2))
    assert acts == [("sign-in", "B-7")]
    assert views[-1].word == ""


def test_a_reader_that_is_not_there_is_waited_for():
    acts, views = played((b"B-7\r", 2), absent=3)
    assert (acts, views[0].state) == ([("sign-in", "B-7")], "ready")


SETTINGS = '[hub]\nsite = "s"\nname = "r"\n[scanner]\nlink = "serial:/dev/ttyS9"\n'


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("", "no rule"),
        ('badge = "B-("', "badge: no regular expression"),
        ('badge = "B"\nterminator = ""', "terminator"),
        ('badge = "B"\nprefix = "ä"', "ASCII only"),
        ('badge = "B"\nsuffix = "x"', "suffix: unknown key"),
    ],
)
def test_a_rule_that_cannot_be_used_is_named(more, said):
    with pytest.raises(SettingsError, match=re.escape(said)):
        parse(SETTINGS + more, "hub.toml")
