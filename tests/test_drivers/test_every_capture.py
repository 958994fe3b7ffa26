"""Every recorded case decodes to exactly what is written beside it, however its bytes are cut."""

from dataclasses import replace
from pathlib import Path

import pytest

from drivers.registry import REGISTRY
from drivers.transports.capture_file import (
    EXPECTED,
    WIRE,
    Received,
    Recording,
    load_case,
    parse,
    write,
)
from edge.decoding import decode_lines
from edge.fixtures import MANIFEST, describe, manifest_text, read_manifest

BYTEWISE = 2000

FIXTURES = Path(__file__).parents[2] / "fixtures"
CASES = sorted(toml.parent for toml in (FIXTURES / "captures").glob("*/*/case.toml"))

every_case = pytest.mark.parametrize(
    "folder", CASES, ids=[f"{folder.parent.name}/{folder.name}" for folder in CASES]
)


def expected(folder):
    return (folder / EXPECTED).read_text("utf-8").splitlines()


def byte_by_byte(recording):
    """The recording with its beginning cut up; the laws of decoders see to the rest."""
    lines, left = [], BYTEWISE
    for line in recording.lines:
        if left > 0 and isinstance(line, Received) and line.channel is None:  # a payload is whole
            lines += [replace(line, data=bytes([byte])) for byte in line.data]
            left -= len(line.data)
        else:
            lines.append(line)
    return Recording(tuple(lines))


@every_case
def test_a_case_decodes_to_what_is_expected(folder):
    assert decode_lines(load_case(folder)) == expected(folder)


@every_case
def test_a_case_decodes_the_same_byte_by_byte(folder):
    loaded = load_case(folder)
    cut = replace(loaded, recording=byte_by_byte(loaded.recording))
    assert decode_lines(cut) == expected(folder)


@every_case
def test_a_case_says_something(folder):
    assert expected(folder)


@every_case
def test_a_recording_is_written_as_the_project_writes_recordings(folder):
    recording = parse((folder / WIRE).read_text("utf-8"))
    assert parse(write(recording)) == recording


@every_case
def test_a_case_lies_under_the_driver_it_is_for_and_says_whose_bytes_it_holds(folder):
    case = load_case(folder).case
    assert case.driver == folder.parent.name
    assert case.driver in REGISTRY
    assert all([case.device, case.licence, case.deidentified])


@pytest.mark.parametrize("name", sorted(n for n, each in REGISTRY.items() if not each.leaves_files))
def test_every_driver_has_a_case(name):
    assert [folder for folder in CASES if folder.parent.name == name]


def test_the_manifest_is_what_is_there():
    there = manifest_text(describe(FIXTURES, read_manifest(FIXTURES)))
    assert (FIXTURES / MANIFEST).read_text("utf-8") == there


def test_every_folder_of_the_manifest_says_origin_licence_and_how_it_was_deidentified():
    silent = [
        folder
        for folder, entry in read_manifest(FIXTURES).items()
        if not (entry.origin and entry.licence and entry.deidentified)
    ]
    assert silent == []
