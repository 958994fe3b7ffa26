"""Topics: what is built parses back, and nothing that is not one level gets in."""

import re
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.model import Kind
from edge.contract.topics import (
    ROOT,
    SHAPES,
    Address,
    Channel,
    CommandName,
    EventKind,
    Hub,
    RequestKind,
    TopicError,
    Writer,
    parse,
    subscription,
)

levels = st.from_regex(r"[a-z0-9-]{1,64}", fullmatch=True)
wild = st.text(alphabet="ab-0+#/ A\x00é", max_size=6)


@st.composite
def addresses(draw):
    channel = draw(st.sampled_from(Channel))
    shape = SHAPES[channel]
    names = st.sampled_from(list(shape.closed)) if shape.closed else levels
    given_names = tuple(draw(names) for _ in shape.variables)
    return Address(draw(levels), draw(levels), channel, given_names)


def matches(filter_, topic):
    """MQTT 5, 4.7: the filters here use only whole-level wildcards."""
    pattern = filter_.replace("+", "[^/]+")
    return re.fullmatch(pattern, topic) is not None


@given(addresses())
def test_a_topic_that_was_built_parses_back_to_what_it_was_built_from(address):
    assert parse(str(address)) == address


@given(addresses(), st.sampled_from(Channel))
def test_a_subscription_matches_exactly_the_topics_of_its_channel(address, channel):
    filter_ = subscription(channel, address.site, address.hub)
    assert matches(filter_, str(address)) is (channel is address.channel)


@given(wild | st.lists(wild, min_size=1, max_size=6).map(lambda parts: "/".join((ROOT, *parts))))
def test_any_text_is_refused_or_understood_whole(text):
    with suppress(TopicError):
        assert str(parse(text)) == text


@pytest.mark.parametrize("name", ["", "a/b", "+", "#", "room 3", "Hub1", "hüb", "a" * 65, "a\n"])
def test_a_hub_whose_name_is_no_single_level_is_refused_with_what_to_use(name):
    with pytest.raises(TopicError, match=r"hub .*: use 1 to 64 of the characters a-z, 0-9 and '-'"):
        Hub("clinic", name)


def test_a_site_whose_name_is_a_wildcard_is_refused():
    with pytest.raises(TopicError, match="site '#'"):
        Hub("#", "hub1")


def test_an_instrument_whose_name_is_a_wildcard_is_refused():
    with pytest.raises(TopicError, match="device '\\+'"):
        Hub("clinic", "hub1").device_status("+")


def test_a_kind_that_is_on_no_list_has_no_topic():
    with pytest.raises(TopicError, match="result: 'bloodpressure' is none of blood-pressure"):
        parse("exam/v1/clinic/hub1/result/bloodpressure")


def test_the_topics_are_those_that_integrators_know():
    hub = Hub("clinic", "hub1")
    assert [
        hub.status,
        hub.device_status("cuff-1"),
        hub.result(Kind.BLOOD_PRESSURE),
        hub.event(EventKind.QUARANTINE),
        hub.live("oximeter", "pleth"),
        hub.request(RequestKind.ROOM_LIST),
        hub.ack,
        hub.command(CommandName.ASSIGN_PATIENT),
        hub.reply(RequestKind.PATIENT),
    ] == [
        "exam/v1/clinic/hub1/status",
        "exam/v1/clinic/hub1/device/cuff-1/status",
        "exam/v1/clinic/hub1/result/blood-pressure",
        "exam/v1/clinic/hub1/event/quarantine",
        "exam/v1/clinic/hub1/live/oximeter/pleth",
        "exam/v1/clinic/hub1/request/room-list",
        "exam/v1/clinic/hub1/ack",
        "exam/v1/clinic/hub1/cmd/assign-patient",
        "exam/v1/clinic/hub1/reply/patient",
    ]


def test_a_hub_subscribes_to_its_receipts_commands_and_replies_and_nothing_else():
    assert Hub("clinic", "hub1").subscriptions() == (
        "exam/v1/clinic/hub1/ack",
        "exam/v1/clinic/hub1/cmd/+",
        "exam/v1/clinic/hub1/reply/+",
    )


def test_only_states_are_retained_and_only_previews_may_be_lost():
    retained = {channel for channel, shape in SHAPES.items() if shape.retained}
    unsure = {channel for channel, shape in SHAPES.items() if shape.qos == 0}
    assert retained == {Channel.STATUS, Channel.DEVICE_STATUS}
    assert unsure == {Channel.LIVE}


def test_each_side_writes_what_the_other_reads():
    written = {channel for channel, shape in SHAPES.items() if shape.writer is Writer.HUB}
    assert set(Channel) - written == {Channel.ACK, Channel.COMMAND, Channel.REPLY}
