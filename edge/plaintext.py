"""Whether an instrument may be reached over a network on which nothing is encrypted."""

from config.load import is_loopback
from drivers.errors import SettingsError
from drivers.transports.address import host_of


def warning(link: str) -> str | None:
    """Return what to tell of a link that leaves this machine; None for one that does not."""
    host = host_of(link)
    if host is None or is_loopback(host):
        return None
    return (
        f"{link}: nothing on the way is encrypted or proves who speaks; whoever reaches the serial "
        "server can read and forge the instrument"
    )


def check_network(link: str, *, plaintext: bool) -> None:
    """Refuse a serial server on the network that nobody has said is wanted in plain text."""
    told = warning(link)
    if told is not None and not plaintext:
        raise SettingsError(f"{told}; give it a network of its own and add `plaintext = true`")
