"""Secrets come from files of their own, readable by the service alone; never from the settings."""

import os
import stat
from pathlib import Path

from config.load import SettingsError

MAX_SECRET_BYTES = 4096


def read_secret(path: Path) -> str:
    """Return the one line in a secret file.

    Raises
    ------
    SettingsError
        If the file cannot be read, others can read it, or it does not hold one line.
    """
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(MAX_SECRET_BYTES + 1)
    except OSError as error:
        raise SettingsError(f"{path}: {error.strerror}; the secret must be in this file") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise SettingsError(f"{path}: others can read it; run `chmod 600 {path}`")
    lines = content.decode("utf-8", "replace").splitlines()
    if len(lines) != 1 or not lines[0] or len(content) > MAX_SECRET_BYTES:
        raise SettingsError(f"{path}: must hold the secret as its one line")
    return lines[0]
