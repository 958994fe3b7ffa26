"""Which links a hub opens from its settings, and which it refuses in words."""

import pytest
from msgspec.structs import replace

from config.load import SettingsError, parse
from config.schema import Analysis
from edge.assembly import assembled, plans

HUB = """
[hub]
site = "north"
name = "room-3"
space = "{space}"
[instruments.cuff]
driver = "{driver}"
link = "memory:/run/cuff.json"
"""


def settings(space="demo", driver="ble-blood-pressure"):
    return parse(HUB.format(space=space, driver=driver), "hub.toml")


def test_a_hub_of_the_demonstration_opens_an_instrument_that_is_played():
    (plan,) = plans(settings())
    assert plan.entry.is_gatt


def test_a_hub_of_a_clinic_refuses_a_played_instrument_and_says_what_to_do():
    with pytest.raises(
        SettingsError, match=r"instruments\.cuff: .*demonstration only.*give the link"
    ):
        plans(settings(space="production"))


def test_a_serial_instrument_is_not_played():
    with pytest.raises(SettingsError, match="only Bluetooth LE"):
        plans(settings(driver="nonin"))


async def test_a_hub_with_a_played_instrument_is_put_together_without_a_radio(tmp_path):
    here = settings()
    here = replace(here, hub=replace(here.hub, state_dir=tmp_path))
    async with assembled(replace(here, analysis=Analysis(enabled=False))) as service:
        assert service is not None
