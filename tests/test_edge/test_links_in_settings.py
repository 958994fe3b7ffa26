"""How an instrument is reached, as the settings say it and the assembly checks it."""

import os
import termios

import pytest

from config.load import SettingsError, parse
from edge.assembly import plans

HEAD = '[hub]\nsite = "clinic"\nname = "room-3"\n[instruments.oximeter]\ndriver = "nonin"\n'


def planned(more):
    return plans(parse(HEAD + more, "settings.toml"))


@pytest.mark.parametrize(
    "link",
    ["socket://127.0.0.1:4001", "rfc2217://[::1]:4001", "tcp:localhost:4001", "serial:/dev/x"],
)
def test_a_link_that_does_not_leave_this_machine_needs_no_consent(link):
    assert len(planned(f'link = "{link}"')) == 1


@pytest.mark.parametrize(
    "link", ["socket://10.0.0.7:4001", "rfc2217://server:1", "tcp:[fd00::7]:1"]
)
def test_a_serial_server_on_the_network_is_refused_until_somebody_says_it_is_wanted(link):
    with pytest.raises(SettingsError, match=r"instruments\.oximeter.*plaintext = true"):
        planned(f'link = "{link}"')
    assert len(planned(f'link = "{link}"\nplaintext = true')) == 1


@pytest.mark.parametrize("line", ["9600", "9600 8X1", "fast"])
def test_a_line_that_is_none_is_refused_with_how_to_write_it(line):
    with pytest.raises(SettingsError, match=r"instruments\.oximeter.*9600 8N1"):
        planned(f'link = "serial:/dev/x"\nline = "{line}"')


async def test_an_instrument_that_is_not_set_as_it_came_is_opened_at_its_own_line():
    master, slave = os.openpty()
    (plan,) = planned(f'link = "serial:{os.ttyname(slave)}"\nline = "19200 8N1"')
    async with plan.open(lambda: None):
        assert termios.tcgetattr(slave)[4] == termios.B19200
    os.close(master)
    os.close(slave)
