"""Write the published description: ``python -m edge.contract`` after a change of the contract."""

import sys
from pathlib import Path

import msgspec

from edge.contract.asyncapi import document
from edge.contract.schemas import JSON_TYPES, Schema, file_name, schema_of

DOCS = Path("docs/contract")


def description() -> dict[str, bytes]:
    """Return every generated file of the description by its name."""
    files = {file_name(channel): text(schema_of(channel)) for channel in JSON_TYPES}
    return {"asyncapi.json": text(document()), **files}


def text(schema: Schema) -> bytes:
    """Return a schema as it is committed."""
    return msgspec.json.format(msgspec.json.encode(schema), indent=2) + b"\n"


def main() -> int:
    """Write the files below the working folder."""
    if not DOCS.is_dir():
        sys.stderr.write(f"There is no {DOCS} here; run this in the top folder of the project.\n")
        return 2
    for name, content in description().items():
        (DOCS / name).write_bytes(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
