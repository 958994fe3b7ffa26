"""Which Bluetooth address a link names, and how an address is told to last."""

import pytest

from drivers.errors import SettingsError
from drivers.transports.address import BLE, ble_address, scheme_of
from drivers.transports.ble.bus import is_lasting


def test_a_bluetooth_link_is_one_address_in_capitals():
    assert scheme_of("ble:c0:ff:ee:00:00:01") == BLE
    assert ble_address("ble:c0:ff:ee:00:00:01") == "C0:FF:EE:00:00:01"


@pytest.mark.parametrize(
    "link", ["ble:", "ble:Nonin3230", "ble:C0:FF:EE:00:00", "ble:C0-FF-EE-0-0-1"]
)
def test_a_name_is_no_bluetooth_link(link):
    with pytest.raises(SettingsError, match="address of one instrument"):
        scheme_of(link)


@pytest.mark.parametrize(
    ("address", "kind", "lasts"),
    [
        ("00:1B:DC:00:00:01", "public", True),
        ("C0:FF:EE:00:00:01", "random", True),  # static: the top bits are 11
        ("7A:FF:EE:00:00:01", "random", False),  # resolvable private: 01
        ("1A:FF:EE:00:00:01", "random", False),  # non-resolvable private: 00
    ],
)
def test_public_and_static_addresses_last_and_private_ones_do_not(address, kind, lasts):
    assert is_lasting(address, kind) is lasts
