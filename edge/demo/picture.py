"""Draw what the demonstration printed as an SVG.

``vitals-edge demo --once | python -m edge.demo.picture > docs/visit.svg``

Nothing but text, a dark ground and the colours that the demonstration has on a terminal; whatever
shows SVG shows it. A line longer than the window is cut off with an ellipsis.
"""

import sys
from html import escape

COLUMNS_MAX = 124
CHARACTER, LINE, MARGIN, BAR, SIZE = 7.8, 18, 16, 30, 13
FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
GROUND, EDGE, INK, QUIET = "#10191c", "#37464b", "#dfe7e5", "#8a9a9e"
MARKS = {"✓": "#86d3a2", "!": "#f0bc6a", "✗": "#ff9f92", "·": QUIET}
TITLES = ("vitals-edge:", "Nobody", "Ida ", "Ivo ", "What the record")


def main() -> int:
    """Read lines, write a picture."""
    lines = [line.rstrip("\n") for line in sys.stdin]
    sys.stdout.write(picture(lines))
    return 0


def picture(lines: list[str]) -> str:
    """Return the SVG of some lines."""
    columns = min(COLUMNS_MAX, max(len(line) for line in lines))
    width = round(columns * CHARACTER + 2 * MARGIN)
    height = BAR + len(lines) * LINE + MARGIN
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" role="img" font-family="{FONT}" font-size="{SIZE}">'
        "<title>A visit in the virtual exam room, as the terminal shows it</title>"
        f'<rect width="{width}" height="{height}" rx="8" fill="{GROUND}" stroke="{EDGE}"/>'
    )
    dots = "".join(f'<circle cx="{16 + 16 * n}" cy="15" r="5" fill="{EDGE}"/>' for n in range(3))
    drawn = [_line(text, BAR + (n + 0.75) * LINE) for n, text in enumerate(lines) if text.strip()]
    return "\n".join([head, dots, *drawn, "</svg>"]) + "\n"


def _line(text: str, y: float) -> str:
    text = text if len(text) <= COLUMNS_MAX else f"{text[: COLUMNS_MAX - 1]}…"
    mark = text[2:3] if text.startswith("  ") else ""
    if mark in MARKS and mark:
        # Apart from the rest: in some fonts a mark is wider than a letter.
        return _text(mark, 2, y, MARKS[mark]) + _text(text[4:], 4, y, INK)
    if text.startswith(TITLES):
        return _text(text, 0, y, INK, weight="bold")
    is_quiet = text.startswith(("  patient", " " * 20))
    return _text(text.lstrip(), len(text) - len(text.lstrip()), y, QUIET if is_quiet else INK)


def _text(text: str, column: int, y: float, colour: str, weight: str = "") -> str:
    bold = f' font-weight="{weight}"' if weight else ""
    x = MARGIN + column * CHARACTER
    return (
        f'<text x="{x:.1f}" y="{y:.0f}" fill="{colour}"{bold} xml:space="preserve">'
        f"{escape(text)}</text>"
    )


if __name__ == "__main__":
    sys.exit(main())
