"""`python -m benchmarks [NAME...]`: run benchmarks and print what they say.

Every module of this folder that has a function ``run(report)`` is one. ``--write`` puts what was
said into docs/benchmarks.md with the command, the date and the machine, in place of what the same
benchmark said before.
"""

import argparse
import ast
import os
import platform
import re
import shlex
import subprocess
import sys
from importlib import import_module
from pathlib import Path

from benchmarks.report import Report

FOLDER = Path(__file__).parent
ROOT = FOLDER.parent
PAGE = ROOT / "docs" / "benchmarks.md"


def main(arguments: list[str]) -> int:
    """Run the benchmarks named, all if none is; 2 for a name that is none."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names", metavar="NAME", nargs="*", help="a benchmark; all if none is named"
    )
    parser.add_argument(
        "--write", action="store_true", help=f"its section of {PAGE.relative_to(ROOT)}"
    )
    parser.add_argument(
        "--date", help="of the section written; that of the last commit if not given"
    )
    parser.add_argument(
        "--seconds", type=float, metavar="N", help="how long to watch, where something is watched"
    )
    parser.add_argument("--list", action="store_true", help="only name the benchmarks")
    args = parser.parse_args(arguments)
    known = discovered()
    if unknown := sorted({*args.names} - {*known}):
        parser.error(f"no benchmark is called {', '.join(unknown)}; known are: {', '.join(known)}")
    for name in args.names or known:
        if args.list:
            print(name)
            continue
        print(f"## {name}\n")
        report = Report(lambda part: print(f"{part}\n", flush=True), args.seconds)
        import_module(f"benchmarks.{name}").run(report)
        if args.write:
            _write(name, report, args.date)
    return 0


def discovered() -> list[str]:
    """Return the names of the modules that have a function ``run``; none of them is imported."""
    modules = {path.stem: path for path in FOLDER.glob("*.py")}
    modules |= {path.parent.name: path for path in FOLDER.glob("*/__init__.py")}
    del modules["__main__"]
    return sorted(name for name, path in modules.items() if _runs(path))


def _runs(path: Path) -> bool:
    body = ast.parse(path.read_text("utf-8")).body
    return any(isinstance(each, ast.FunctionDef) and each.name == "run" for each in body)


def _write(name: str, report: Report, date: str | None) -> None:
    command = shlex.join(["python", "-m", "benchmarks", name])
    revision = _git("log", "-1", "--format=%h")
    date = date or _git("log", "-1", "--format=%cs")
    facts = f"`{command}` on {date}, revision {revision}, {machine()}."
    section = "\n\n".join([f"## {name}, {date}", facts, *report.parts])
    page = PAGE.read_text(encoding="utf-8") if PAGE.exists() else "# Benchmarks\n"
    PAGE.write_text(with_section(page, name, section), encoding="utf-8")
    pictures = PAGE.parent / "pictures"
    for old in pictures.glob(f"{name}-*.svg"):
        old.unlink()
    for file_name, svg in report.pictures.items():
        pictures.mkdir(exist_ok=True)
        (pictures / file_name).write_text(svg, encoding="utf-8")


def with_section(page: str, name: str, section: str) -> str:
    """Return the page with this section in place of the one of that name, or at its end."""
    head, *sections = re.split(r"^(?=## )", page, flags=re.MULTILINE)
    kept = [part.rstrip("\n") + "\n" for part in sections]
    mine = [at for at, part in enumerate(kept) if re.match(rf"## {re.escape(name)}[,\n]", part)]
    if mine:
        kept[mine[0]] = section + "\n"
    else:
        kept.append(section + "\n")
    return "\n".join([head.rstrip("\n") + "\n", *kept])


def machine() -> str:
    """Return what was measured on, in one phrase."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    names = [
        line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Model"))
    ]
    processor = names[0] if names else platform.machine()
    return f"{processor}, {os.cpu_count()} cores, Python {platform.python_version()}"


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() or "unknown"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
