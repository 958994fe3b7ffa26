"""Where single models of Bluetooth LE instruments differ from the profile they keep to.

A quirk is applied only where the settings name the model: nothing is guessed from a name that an
instrument calls out. A&D and Nipro carry their clock in the service of the measurement, which needs
no quirk: it is looked for there anyway.

Sources: the obniz parts library (A&D, Omron HEM-9200T); BLESSED (Omron's clock); smarttelemed-v4
(Beurer FT95); nipro's companion application; a recorded spot check of a ChoiceMMed C208S.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from drivers.contract import Write
from drivers.instruments.gatt.meaning import Command

_AND_COMMANDS = "233bf001-5a34-1b6d-975c-000d5690abe4"
_SEND_ALL = Command(Write.FETCH, _AND_COMMANDS, bytes.fromhex("02 00 e1"))


@dataclass(frozen=True, slots=True)
class Quirks:
    """What one model needs.

    `asks` is written before the measurements are subscribed to, where that is granted. A clock
    that `keeps_its_clock` is never set; others only when they are more than `clock_off_s` off.
    `corrects_itself`: of the values of one connection only the last counts. `respires`: the third
    byte of an oximeter's device status is a respiration rate.
    """

    asks: tuple[Command, ...] = ()
    keeps_its_clock: bool = False
    clock_off_s: float = 0.0
    corrects_itself: bool = False
    respires: bool = False


NONE = Quirks()

QUIRKS: Mapping[str, Quirks] = MappingProxyType(
    {
        "and-ua651": Quirks(asks=(_SEND_ALL,)),
        "and-ut201": Quirks(asks=(_SEND_ALL,)),
        "beurer-bm": NONE,
        "beurer-ft95": Quirks(corrects_itself=True),
        "choicemmed-c208s": Quirks(respires=True),
        "nipro": NONE,
        "omron": Quirks(clock_off_s=600.0),
        "omron-hem9200t": Quirks(keeps_its_clock=True),
    }
)
