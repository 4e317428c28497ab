"""A pytest plugin for the tests of ``common.sql``: what they use of Airflow's own repository."""

from __future__ import annotations

import sqlite3
import sys
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

import pytest
from airflow import __version__ as airflow_version
from airflow.providers.common.compat.sdk import Connection, timezone
from packaging.version import Version

AIRFLOW = Version(Version(airflow_version).base_version)


class StandIn(ModuleType):
    """A module of which every name is something."""

    __path__: list[str] = []  # noqa: RUF012  # what makes it a package

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name.startswith("AIRFLOW_V_"):
            wanted = Version(".".join(name.removeprefix("AIRFLOW_V_").removesuffix("_PLUS").split("_")))
            return wanted <= AIRFLOW if name.endswith("_PLUS") else wanted == AIRFLOW
        return pytest.mark.skipif(False, reason="") if name.endswith("marker") else MagicMock(name=name)


def mock_db_hook(hook_class: Any, hook_params: Any = None, conn_params: Any = None) -> Any:
    """Return a hook whose connection is given, and whose driver is a mock."""
    parts = {"login": "login", "password": "password", "host": "host", "schema": "schema", "port": 1234}
    connection = Connection(**{**parts, "conn_type": "sql", "conn_id": "default_conn_id", **(conn_params or {})})

    class MockedHook(hook_class):  # type: ignore[misc]
        conn_name_attr = "test_conn_id"
        connection_invocations = 0

        @classmethod
        def get_connection(cls, conn_id: str) -> Any:
            cls.connection_invocations += 1
            return connection

        def get_conn(self) -> Any:
            return MagicMock()

    MockedHook.__name__ = hook_class.__name__
    return MockedHook(**(hook_params or {}))


def pytest_configure(config: pytest.Config) -> None:
    for marker in ("db_test", "backend", "asyncio", "integration", "system", "need_serialized_dag", "enable_redact"):
        config.addinivalue_line("markers", marker)
    utilities = ("common_sql", "compat", "dag", "db", "markers", "providers", "taskinstance", "version_compat")
    names = ["tests_common", "tests_common.test_utils", *(f"tests_common.test_utils.{name}" for name in utilities)]
    for name in (*names, "tests_common.test_utils.operators", "tests_common.test_utils.operators.run_deferrable"):
        sys.modules[name] = StandIn(name)
    # It needs a library of the system; all they use of it is what any cursor has.
    sys.modules["pyodbc"] = StandIn("pyodbc")
    sys.modules["pyodbc"].Cursor = sqlite3.Cursor  # type: ignore[attr-defined]
    sys.modules["tests_common.test_utils.common_sql"].mock_db_hook = mock_db_hook  # type: ignore[attr-defined]
    sys.modules["tests_common.test_utils.version_compat"].timezone = timezone  # type: ignore[attr-defined]


@pytest.fixture
def create_connection_without_db(monkeypatch: pytest.MonkeyPatch) -> Any:
    def make(connection: Any) -> None:
        monkeypatch.setenv(f"AIRFLOW_CONN_{connection.conn_id.upper()}", connection.get_uri())

    return make
