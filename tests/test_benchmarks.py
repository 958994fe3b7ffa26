"""The door of the benchmarks: what there is, and a plain word for what there is not."""

import subprocess
import sys
from pathlib import Path

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
