"""Killed at every named fault point, a hub's results are filed once, for the right patient.

A few runs of the program that makes hundreds: `make kills ARGS="--runs 200"`.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from edge.faults import POINTS

pytestmark = [pytest.mark.system, pytest.mark.timeout(300)]

KILLS = Path(__file__).parents[1] / "soak" / "kills.py"


def test_five_rooms_killed_at_every_fault_point_lose_double_and_misfile_nothing(tmp_path):
    command = [sys.executable, str(KILLS), "--runs", "5", "--at-once", "5", "--seed", "3"]
    done = subprocess.run(
        [*command, "--folder", str(tmp_path)], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1] == "runs 5, lost 0, twice 0, misfiled 0"
    reached = [line.split() for line in done.stdout.splitlines() if line.startswith("reached ")]
    assert [point for _, times, point in reached if int(times)] == list(POINTS)
