"""What the doctor says of a folder in which an instrument leaves its files."""

import os
from collections.abc import Iterator
from pathlib import Path

from drivers.transports.address import FOLDER
from drivers.transports.drop_folder import OURS, QUARANTINE_MAX
from edge.verbs.findings import Finding, Level


def look_at_folder(name: str, link: str, *, clock_vouched: bool) -> Iterator[Finding]:
    """Say whether the folder can be used, and whether somebody has to look into it."""
    folder = Path(link.removeprefix(f"{FOLDER}:"))
    if not folder.is_dir():
        yield Finding(
            Level.NOTE,
            f"instrument {name}: {folder} is not there",
            "make the folder, or mount the share",
        )
        return
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        yield Finding(
            Level.WRONG,
            f"instrument {name}: {folder} may not be used",
            f"let the user of the service write there: chown, or chgrp and chmod g+w {folder}",
        )
        return
    yield Finding(Level.OK, f"instrument {name}: files in {folder}")
    aside = sum(not each.name.endswith(".txt") for each in _in_quarantine(folder))
    if aside:
        yield Finding(
            Level.WRONG if aside >= QUARANTINE_MAX else Level.NOTE,
            f"instrument {name}: {aside} files in quarantine",
            f"look into {folder / OURS / 'quarantine'}; reasons are beside them; then remove them",
        )
    if not clock_vouched:
        yield Finding(
            Level.NOTE,
            f"instrument {name}: nobody vouches for the cart's clock, so a person takes each ECG",
            "keep it right and say how far off it may be: clock_error_s in its options",
        )


def _in_quarantine(folder: Path) -> Iterator[Path]:
    quarantine = folder / OURS / "quarantine"
    try:
        yield from quarantine.iterdir()
    except OSError:  # none yet, or the service's own
        return
