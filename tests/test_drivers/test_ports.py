"""What the system knows of its serial ports, from a system of files made for it."""

import pytest

from drivers.transports.ports import Usb, alike, port_of, serial_ports


@pytest.fixture
def machine(tmp_path):
    """A machine to plug adapters into."""
    (tmp_path / "dev/serial/by-path").mkdir(parents=True)
    (tmp_path / "dev/serial/by-id").mkdir()
    (tmp_path / "sys/class/tty").mkdir(parents=True)

    def plug(name, socket, *, vid="10c4", pid="ea60", serial=None, by_id=True):
        (tmp_path / "dev" / name).touch()
        adapter = tmp_path / f"sys/devices/usb1/{socket}"
        interface = adapter / f"{socket}:1.0" / name
        interface.mkdir(parents=True)
        words = {"idVendor": vid, "idProduct": pid, "product": "USB to UART", "serial": serial}
        for word, text in words.items():
            if text:
                (adapter / word).write_text(f"{text}\n")
        tty = tmp_path / "sys/class/tty" / name
        tty.mkdir()
        (tty / "device").symlink_to(interface)
        for usb in ("usb", "usbv2"):
            link = tmp_path / f"dev/serial/by-path/pci-0000:00:14.0-{usb}-0:{socket}:1.0-port0"
            link.symlink_to(f"../../{name}")
        if by_id:
            (tmp_path / f"dev/serial/by-id/usb-adapter_{serial or '0001'}").unlink(missing_ok=True)
            (tmp_path / f"dev/serial/by-id/usb-adapter_{serial or '0001'}").symlink_to(
                f"../../{name}"
            )

    plug.root = tmp_path
    return plug


def test_a_port_goes_by_the_socket_it_is_in(machine):
    machine("ttyUSB0", "1.2")
    (port,) = serial_ports(machine.root)
    assert port.path == "/dev/ttyUSB0"
    assert port.stable == "/dev/serial/by-path/pci-0000:00:14.0-usb-0:1.2:1.0-port0"
    assert port.by_id == "/dev/serial/by-id/usb-adapter_0001"
    assert port.usb == Usb("10c4", "ea60", None, None, "USB to UART")


def test_ports_are_in_the_order_people_count(machine):
    for number in (10, 2, 0):
        machine(f"ttyUSB{number}", f"1.{number}", by_id=False)
    assert [port.path for port in serial_ports(machine.root)] == [
        *("/dev/ttyUSB0", "/dev/ttyUSB2", "/dev/ttyUSB10")
    ]


def test_a_uart_that_is_not_soldered_in_is_no_port(machine):
    for name, kind in (("ttyS0", "4"), ("ttyS1", "0")):
        (machine.root / "dev" / name).touch()
        (machine.root / "sys/class/tty" / name).mkdir()
        (machine.root / "sys/class/tty" / name / "type").write_text(f"{kind}\n")
    (port,) = serial_ports(machine.root)
    assert (port.path, port.stable, port.usb) == ("/dev/ttyS0", "/dev/ttyS0", None)


def test_two_adapters_of_one_model_are_told_apart_by_their_sockets_alone(machine):
    machine("ttyUSB0", "1.2")
    machine("ttyUSB1", "1.3")
    machine("ttyUSB2", "1.4", serial="A1B2")
    ports = serial_ports(machine.root)
    assert [[port.path for port in group] for group in alike(ports)] == [
        ["/dev/ttyUSB0", "/dev/ttyUSB1"]
    ]
    assert len({port.stable for port in ports}) == 3


def test_a_port_is_known_by_any_of_its_names(machine):
    machine("ttyUSB0", "1.2")
    ports = serial_ports(machine.root)
    assert port_of("/dev/ttyUSB0", ports) == ports[0]
    assert port_of("/dev/ttyUSB7", ports) is None


def test_a_machine_without_ports_has_none(tmp_path):
    assert serial_ports(tmp_path) == []
