"""The door of the benchmarks: what there is, and a plain word for what there is not."""

import subprocess
import sys
from pathlib import Path

import numpy as np

from benchmarks.__main__ import with_section
from benchmarks.recordings import Recording
from benchmarks.stretches import WRONG, drawn, worst_stretch

ROOT = Path(__file__).parents[1]


def benchmarks(*arguments):
    command = [sys.executable, "-m", "benchmarks", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_benchmarks_are_found_by_their_modules():
    listed = benchmarks("--list").stdout.splitlines()
    assert {"decoders", "peers"} <= {*listed}
    assert "report" not in listed


def test_a_benchmark_that_is_none_is_refused_with_the_names_there_are():
    done = benchmarks("no-such")
    assert done.returncode == 2
    assert "no-such" in done.stderr
    assert "decoders" in done.stderr


def test_a_benchmark_takes_the_place_of_its_own_section_and_of_no_other():
    page = "# Benchmarks\n\n## one, day 1\n\nold\n\n## two, day 1\n\nstays\n"
    page = with_section(page, "one", "## one, day 2\n\nnew")
    assert page == "# Benchmarks\n\n## one, day 2\n\nnew\n\n## two, day 1\n\nstays\n"
    assert with_section(page, "on", "## on, day 2").endswith("stays\n\n## on, day 2\n")


def test_the_worst_stretch_of_a_recording_is_drawn_with_what_is_wrong_in_red():
    beats = np.arange(180, 36_000, 360)
    found = np.delete(beats, [70, 71, 72])
    record = Recording("104", 360.0, np.zeros(36_000), beats)
    stretch = worst_stretch("drawn", record, found, 0.15)
    assert (stretch.errors, stretch.begin <= beats[70], stretch.end > beats[72]) == (3, True, True)
    assert drawn(stretch).count(f'stroke="{WRONG}"') == 3
    assert worst_stretch("drawn", record, beats, 0.15) is None
