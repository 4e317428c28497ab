"""Hooks of pytest: which tests need no Airflow, and how they are run without one."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

# The tests of what works without Airflow, and what is not among them.
TESTS = Path(__file__).parents[1]
NO_AIRFLOW = {TESTS / name for name in ("failures", "ingest", "outbox", "sandbox", "shipping", "sql")}
# The processes that are killed take as long as a third of all the others together.
LEFT_OUT = {TESTS / "failures" / "test_airflow_exceptions.py", TESTS / "outbox" / "test_kill.py"}
LONGEST = {"test_delivery.py", "test_drain.py", "test_kill.py", "test_state_machine.py"}  # which begin early


def needs_no_airflow(path: Path) -> bool:
    """Return whether the tests of a file run without Airflow."""
    return path not in LEFT_OUT and not NO_AIRFLOW.isdisjoint(path.parents)


class NoAirflow:
    """An import hook that lets no test import Airflow."""

    @staticmethod
    def find_spec(name: str, *_arguments: object) -> None:
        if name.partition(".")[0] == "airflow":
            raise AssertionError(f"a test that needs no Airflow imports {name}")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--no-airflow", action="store_true", help="run the tests that need no Airflow, and forbid it")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("no_airflow"):
        sys.meta_path.insert(0, NoAirflow)  # type: ignore[arg-type]


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Import only the tests that need no Airflow if there is to be none."""
    is_left_out = collection_path.is_file() and not needs_no_airflow(collection_path)
    return True if is_left_out and config.getoption("no_airflow") else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that need no Airflow, and start with those that take longest, so that all processes end alike."""
    for item in items:
        if needs_no_airflow(item.path):
            item.add_marker("no_airflow")
    items.sort(key=lambda item: item.get_closest_marker("integration") is None and item.path.name not in LONGEST)
