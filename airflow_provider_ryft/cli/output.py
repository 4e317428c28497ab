"""How commands show what they found: as a table for people, or as JSON or YAML for programs."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from contextlib import redirect_stdout
from typing import Any

import pendulum


def show(arguments: argparse.Namespace, found: Any, rows: Sequence[dict[str, Any]]) -> None:
    """Print what a command found, as ``--output`` says.

    :param arguments: of the command
    :param found: for programs; a list with one element is printed as that element
    :param rows: for people: the rows of a table, all with the same keys
    """
    if isinstance(found, list) and len(found) == 1:
        found = found[0]
    if arguments.output == "json":
        print(json.dumps(found, indent=2, ensure_ascii=False), file=arguments.out)
        return
    from airflow.cli.simple_table import AirflowConsole

    with redirect_stdout(arguments.out):  # which is also what the console measures
        console = AirflowConsole(markup=False, emoji=False)
        if arguments.output == "yaml":
            console.print_as_yaml(found)
            return
        console.print_as_table(
            [{key: f"{value:,}" if isinstance(value, int) else value for key, value in row.items()} for row in rows]
        )


def duration(seconds: float) -> str:
    """Return a duration in words."""
    return pendulum.duration(seconds=max(1, round(seconds))).in_words(locale="en")


def ago(seconds: float) -> str:
    """Return an age in words."""
    return f"{duration(seconds)} ago"


def size(number: int) -> str:
    """Return a number of bytes with its unit."""
    value = float(number)
    for unit in ("B", "KiB", "MiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} GiB"
