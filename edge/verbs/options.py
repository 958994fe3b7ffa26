"""Arguments that several verbs share."""

import argparse

from drivers.errors import SettingsError


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Declare ``--set KEY=VALUE`` for an instrument's settings."""
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a setting of the instrument, as in its table of the settings file; may be repeated",
    )


def settings_of(args: argparse.Namespace) -> dict[str, str]:
    """Return the instrument's settings as given; their values are checked by its driver."""
    table: dict[str, str] = {}
    for pair in args.set:
        key, equals, value = pair.partition("=")
        if not (key and equals):
            raise SettingsError(f"--set {pair}: write KEY=VALUE")
        if key in table:
            raise SettingsError(f"--set {key} is given twice")
        table[key] = value
    return table
