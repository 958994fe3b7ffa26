"""How an instrument behaves on the radio, apart from what it measures.

All of it is seen in real instruments; the defaults are those of a well-behaved one.
"""

from dataclasses import dataclass
from enum import StrEnum


class Pairing(StrEnum):
    """What an instrument asks for before it lets anybody have its values."""

    NONE = "none"
    JUST_WORKS = "just-works"
    SHOWS_PASSKEY = "shows-passkey"  # on its display, or printed on its back
    TAKES_PASSKEY = "takes-passkey"  # typed on its keys, as the other side shows it
    COMPARES_PASSKEY = "compares-passkey"  # both show one, and a person says whether it is the same


NEED_PASSKEY = frozenset({Pairing.SHOWS_PASSKEY, Pairing.TAKES_PASSKEY, Pairing.COMPARES_PASSKEY})


class Drop(StrEnum):
    """When an instrument drops the connection though it is not done."""

    NEVER = "never"
    DURING_DISCOVERY = "during-discovery"
    BEFORE_CONFIRMATION = "before-confirmation"  # its indication arrives, its memory keeps it


@dataclass(frozen=True, slots=True)
class Manners:
    """One instrument's behaviour.

    `asks_for_security` is a Security Request as soon as it is connected. `answers_late`: what it
    has to send goes out before it answers the write that subscribed. `names_itself_later`: the name
    is not in the advertisement but in what follows it. `holds_one_bond`: a new host's bond replaces
    the last one's. `drops` happens `drop_times` times.
    """

    pairing: Pairing = Pairing.NONE
    passkey: int = 123456
    asks_for_security: bool = False
    holds_one_bond: bool = False
    has_private_address: bool = False
    names_itself_later: bool = False
    answers_connect: bool = True
    answers_late: bool = False
    mtu: int = 247
    drops: Drop = Drop.NEVER
    drop_times: int = 1


PLAIN = Manners()
