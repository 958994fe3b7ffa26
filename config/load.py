"""Read a settings file, or say in one line which file, which key and what to do."""

import ipaddress
import tomllib
from importlib import resources
from pathlib import Path
from typing import TypeVar

import msgspec

from config.schema import Broker, Instrument, Settings


class SettingsError(Exception):
    """The file cannot be used; the message names the file, the key and the remedy."""


def load(path: Path) -> Settings:
    """Return the settings in a TOML file.

    Raises
    ------
    SettingsError
        If the file cannot be read, is not TOML, or a key is unknown, missing or wrong.
    """
    try:
        return parse(path.read_text("utf-8"), str(path))
    except OSError as error:
        raise SettingsError(
            f"{path}: {error.strerror}; give a readable settings file with --config"
        ) from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from error


def parse(text: str, name: str) -> Settings:
    """Return the settings in a TOML text; `name` stands for it in messages."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{name}: not TOML: {error}; correct that line") from error
    instruments = table.get("instruments")
    if isinstance(instruments, dict):  # one by one, so that a message can say which
        for key, value in instruments.items():
            _convert(value, Instrument, name, f"instruments.{key}")
    settings = _convert(table, Settings, name, "")
    _check_broker(settings.broker, name)
    return settings


def example() -> str:
    """Return the commented example, which shows every key."""
    return resources.files("config").joinpath("example.toml").read_text("utf-8")


def _check_broker(broker: Broker, name: str) -> None:
    if broker.tls is None and not is_loopback(broker.host):
        raise SettingsError(
            f"{name}: broker.host {broker.host!r} is not this machine and broker.tls is missing; "
            "add [broker.tls] with ca, certificate and key"
        )
    if (broker.username is None) is not (broker.password_file is None):
        raise SettingsError(
            f"{name}: broker.username and broker.password_file go together; give both or neither"
        )


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine without asking a name server."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


T = TypeVar("T")


def _convert(value: object, kind: type[T], name: str, within: str) -> T:
    try:
        return msgspec.convert(value, kind, dec_hook=_path)
    except msgspec.ValidationError as error:
        raise SettingsError(f"{name}: {_with_key(str(error), within)}") from error


def _path(kind: type, value: object) -> Path:
    if kind is not Path or not isinstance(value, str) or not value:
        raise ValueError(f"expected the name of a file, got {value!r}")
    return Path(value)


def _with_key(message: str, within: str) -> str:
    """Turn msgspec's ``... - at `$.a.b` `` into a message that begins with the key."""
    what, _, where = message.partition(" - at `")
    inside = where.rpartition("$")[2].rstrip("`").lstrip(".")
    key = ".".join(part for part in (within, inside) if part)
    if "unknown field" in what:
        field = what.rsplit("`", 2)[1]
        full = f"{key}.{field}" if key else field
        return f"{full}: unknown key; remove it or see `vitals-edge run --example` for all keys"
    if "missing required field" in what:
        field = what.rsplit("`", 2)[1]
        full = f"{key}.{field}" if key else field
        return f"{full}: missing; add it"
    return f"{key}: {what}; correct the value" if key else f"{what}; correct the file"
