"""A pytest plugin: each test runs as a task does whose SQL is reported."""

from __future__ import annotations

import pytest

from airflow_provider_ryft.capture.statement import Statement
from airflow_provider_ryft.instrumentation import instrumentor


class Counting:
    """A processor that counts."""

    statements = 0

    def on_start(self, statement: Statement) -> None:
        Counting.statements += 1

    def on_end(self, statement: Statement) -> None:
        """Ignore it."""

    def on_hook_created(self) -> None:
        pass

    def on_discard(self, statement: Statement) -> None:
        Counting.statements -= 1


def pytest_runtest_setup() -> None:
    instrumentor.install()
    instrumentor.start(Counting())


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown() -> None:
    instrumentor.stop()


def pytest_sessionfinish() -> None:
    print(f"\nOBSERVED {Counting.statements}")
