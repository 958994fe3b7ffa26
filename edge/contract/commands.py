"""Whether a command of the record system may still be followed: a pure rule, without state.

A broker keeps messages for a hub that is away. What was meant for the visit at nine must not name
the patient at eleven, so a command that opens an association counts only for the run of the service
it answers, only until it expires, and only while the hub can tell what time it is. The other
commands name what they are about and do no harm when they come late or twice.
"""

from drivers.model import Instant
from edge.clock import utc
from edge.contract.dialogue import AssignPatient, Command

SKEW_S = 30.0  # of two synchronised clocks, and then some; more than that and one of them is wrong


def why_refused(command: Command, received: Instant, boot_id: str) -> str | None:
    """Return None when the command may be followed, else the reason, which names nobody."""
    if not isinstance(command, AssignPatient):
        return None
    if command.boot_id != boot_id:
        return "it answers an earlier start of this hub"
    if not received.trusted:
        return "this hub's clock is not synchronised, so nobody can say whether it is still meant"
    now = utc(received.wall_ns)
    if command.expires_at <= now:
        return f"it expired at {command.expires_at:%H:%M:%S}"
    if (command.issued_at - now).total_seconds() > SKEW_S:
        return "it was issued in the future: the record system's clock and this hub's disagree"
    return None
