"""The manifest of the recordings and files that tests run on: hashes, origins, licences.

``MANIFEST.toml`` has a table for each folder of fixtures with what a person says about it and the
SHA-256 of each of its files. Hashes can be made anew without touching the words; of a case folder
the words are those of its ``case.toml``.
"""

import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from drivers.errors import SettingsError
from drivers.transports.capture_file import CASE, parse_case

MANIFEST = "MANIFEST.toml"
NOT_LISTED = frozenset({MANIFEST, "README.md"})  # at the root; notices beside fixtures are
HEADER = """\
# What the fixtures are, where they come from and that they are unchanged.
# Hashes and the words of captures/ are made by the project's own tools; other words by hand.
"""


class Described(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One folder: `deidentified` says how it came to hold no patient."""

    origin: str
    licence: str
    deidentified: str
    sha256: dict[str, str]


def read_manifest(root: Path) -> dict[str, Described]:
    """Return the manifest by folder, or raise SettingsError naming the key; no file is empty."""
    path = root / MANIFEST
    if not path.exists():
        return {}
    try:
        return msgspec.toml.decode(path.read_bytes(), type=dict[str, Described])
    except msgspec.DecodeError as error:
        raise SettingsError(f"{path}: {error}") from error


def describe(root: Path, words: Mapping[str, Described]) -> dict[str, Described]:
    """Return the manifest of what is under `root` now, with the `words` known of each folder."""
    files: dict[Path, dict[str, str]] = {}
    for path in sorted(root.rglob("*")):
        listed = path.parent != root or path.name not in NOT_LISTED
        if path.is_file() and listed:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            files.setdefault(path.parent, {})[path.name] = digest
    return {
        (name := str(folder.relative_to(root))): _described(folder, hashes, words.get(name))
        for folder, hashes in sorted(files.items())
    }


def manifest_text(manifest: Mapping[str, Described]) -> str:
    """Return the manifest as it is written; TOML's basic strings are written as JSON's."""
    out = [HEADER]
    for folder, entry in sorted(manifest.items()):
        table = _quoted(folder)
        out += [f"[{table}]\n"]
        out += [
            f"{key} = {_quoted(text)}\n"
            for key, text in (
                ("origin", entry.origin),
                ("licence", entry.licence),
                ("deidentified", entry.deidentified),
            )
        ]
        out += [f"[{table}.sha256]\n"]
        out += [f"{_quoted(name)} = {_quoted(digest)}\n" for name, digest in entry.sha256.items()]
        out += ["\n"]
    return "".join(out).rstrip("\n") + "\n"


def refresh_manifest(root: Path) -> None:
    """Write the manifest of what is under `root`, keeping the words that are there."""
    text = manifest_text(describe(root, read_manifest(root)))
    (root / MANIFEST).write_text(text, encoding="utf-8", newline="\n")


def _described(folder: Path, hashes: dict[str, str], known: Described | None) -> Described:
    if (folder / CASE).exists():
        case = parse_case((folder / CASE).read_bytes())
        return Described(case.origin, case.licence, case.deidentified, hashes)
    if known is None:
        return Described("", "", "", hashes)
    return Described(known.origin, known.licence, known.deidentified, hashes)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


if __name__ == "__main__":
    refresh_manifest(Path(sys.argv[1]))
