"""Whether an instrument may be reached over a network on which nothing is encrypted."""

from config.load import is_loopback
from drivers.errors import SettingsError
from drivers.transports.address import host_of


def check_network(link: str, *, plaintext: bool) -> None:
    """Refuse a serial server on the network that nobody has said is wanted in plain text."""
    host = host_of(link)
    if host is None or is_loopback(host) or plaintext:
        return
    raise SettingsError(
        f"link {link!r}: nothing on the way to a serial server is encrypted, and whoever reaches "
        "it can read and forge the instrument; give it a network of its own and add "
        "`plaintext = true`"
    )
