"""How commands show what they found: as a table for people, or as JSON for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, TextIO

import pendulum


def show(out: TextIO, rows: Sequence[dict[str, Any]], output: str, *, title: str | None = None) -> None:
    """Print rows.

    :param out: where to
    :param rows: all with the same keys
    :param output: ``table`` or ``json``; one row is printed as one object
    :param title: of a table
    """
    if output == "json":
        print(json.dumps(rows[0] if len(rows) == 1 else list(rows), indent=2, ensure_ascii=False), file=out)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*(rows[0] if rows else ("nothing",)), title=title, title_justify="left")
    for row in rows:
        table.add_row(*(Text(f"{value:,}" if isinstance(value, int) else str(value)) for value in row.values()))
    console = Console(file=out)
    if not console.is_terminal:  # a log or a pipe, where a cut line helps nobody
        console = Console(file=out, width=200)
    console.print(table)


def duration(seconds: float) -> str:
    """Return a duration as a person says it."""
    return pendulum.duration(seconds=max(1, round(seconds))).in_words(locale="en")


def ago(seconds: float) -> str:
    """Return an age as a person says it."""
    return f"{duration(seconds)} ago"


def size(number: int) -> str:
    """Return a number of bytes as a person says it."""
    value = float(number)
    for unit in ("B", "KiB", "MiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} GiB"
