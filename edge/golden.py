"""What a case must give, in files beside it: compared, shown as a diff, written anew on request.

``expected.jsonl`` is what its instrument said (`edge.decoding`), ``results.jsonl`` what the hub
made of that (`edge.replay`). Under version control they are written anew only where nothing else is
uncommitted, so that the next diff shows this change alone. Without it there is nothing to mix with,
and the diff that is shown is the only record of what was there.
"""

import difflib
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from drivers.errors import SettingsError
from drivers.transports.capture_file import EXPECTED
from edge.fixtures import MANIFEST, describe, manifest_text, read_manifest

RESULTS = "results.jsonl"
GIT_S = 30.0


def texts_of(expected: list[str], results: list[str]) -> dict[str, str]:
    """Return the files of a case by name."""
    return {EXPECTED: _text(expected), RESULTS: _text(results)}


def diff_of(folder: Path, texts: Mapping[str, str]) -> str:
    """Return a unified diff from the files that are there to these, empty where they are equal."""
    return "".join(_diff(folder / name, text) for name, text in texts.items())


def write(folder: Path, texts: Mapping[str, str]) -> None:
    """Write the files of a case."""
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")


def refresh_manifest(root: Path) -> str:
    """Write the manifest of a fixtures folder anew and return the diff."""
    text = manifest_text(describe(root, read_manifest(root)))
    diff = _diff(root / MANIFEST, text)
    write(root, {MANIFEST: text})
    return diff


def manifest_root(folder: Path) -> Path | None:
    """Return the fixtures folder a case belongs to, None for a case by itself."""
    return next((p for p in folder.resolve().parents if (p / MANIFEST).exists()), None)


def refuse_uncommitted(folder: Path) -> None:
    """Raise SettingsError unless git has nothing uncommitted in this folder.

    Files that git does not know yet do not count: a new case has to begin somewhere. Nor does
    anything where there is no version control.
    """
    if not any(
        (parent / ".git").exists() for parent in (folder.resolve(), *folder.resolve().parents)
    ):
        return
    git = shutil.which("git")
    if git is None:
        raise SettingsError(f"{folder} is under version control, but there is no git to ask")
    asked = subprocess.run(  # noqa: S603 - git itself, and a folder the person named
        [git, "-C", str(folder), "status", "--porcelain", "--untracked-files=no", "--", "."],
        capture_output=True,
        text=True,
        timeout=GIT_S,
        check=False,
    )
    if asked.returncode != 0:
        raise SettingsError(f"{folder}: git cannot say what is committed: {asked.stderr.strip()}")
    if asked.stdout:
        changed = ", ".join(line[3:] for line in asked.stdout.splitlines()[:5])
        raise SettingsError(
            f"{folder} has uncommitted changes ({changed}): commit or undo them first, so that the "
            "next diff shows what this changes and nothing else"
        )


def _text(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _diff(path: Path, text: str) -> str:
    old = path.read_text("utf-8") if path.exists() else ""
    known = str(path) if path.exists() else "/dev/null"
    lines = difflib.unified_diff(
        old.splitlines(keepends=True), text.splitlines(keepends=True), known, str(path)
    )
    missing = "" if path.exists() or text else f"--- /dev/null\n+++ {path}\n"
    return "".join(lines) + missing
