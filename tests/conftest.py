"""What all tests share: an Airflow of their own, and a sandbox."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from support.airflow_home import AirflowHome, connection_variable
from support.no_airflow import (  # noqa: F401  # hooks of pytest
    pytest_addoption,
    pytest_collection_modifyitems,
    pytest_configure,
    pytest_ignore_collect,
)

if TYPE_CHECKING:
    from airflow_provider_ryft.sandbox.server import Sandbox

# Before anything imports Airflow, which reads its configuration once: a home of its own, and nothing of the user's.
for _name in list(os.environ):
    if _name.startswith(("AIRFLOW", "RYFT_SANDBOX")) or _name.lower().endswith("_proxy"):
        del os.environ[_name]
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="ryft-airflow-")
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__USAGE_DATA_COLLECTION__ENABLED"] = "False"

pytest_plugins = ["support.capture", "support.masker"]

# The suite's output is searched for this text, which must be in none of it.
TOKEN = "-".join(["s3cret", "token", "of", "the", "suite"])


@pytest.fixture(scope="session")
def token() -> str:
    """Return the one token that the sandbox accepts."""
    return TOKEN


@pytest.fixture
def sandbox(token: str) -> Iterator[Sandbox]:
    """Run a sandbox that accepts only the suite's token."""
    from airflow_provider_ryft.sandbox.server import Sandbox

    with Sandbox(token=token) as running:
        yield running


@pytest.fixture(scope="session")
def database_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the database of a fresh Airflow is kept once it was made, for all processes of this run."""
    base = tmp_path_factory.getbasetemp()
    return (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "template.db"


@pytest.fixture
def airflow_home(tmp_path: Path, database_template: Path, sandbox: Sandbox, token: str) -> Iterator[AirflowHome]:
    """Return an Airflow whose DAGs are in ``dags`` of its home, and that reports to the sandbox."""
    home = AirflowHome(tmp_path, tmp_path / "dags")
    home.dags.mkdir()
    home.migrate(database_template)
    home.connect("ryft_default", conn_type="ryft", host=sandbox.url, password=token)
    yield home
    home.close()


@pytest.fixture(scope="session")
def shared_home(tmp_path_factory: pytest.TempPathFactory, database_template: Path) -> Iterator[AirflowHome]:
    """Return an Airflow with the DAGs of the integration tests, whose supervisor runs tasks of many tests.

    What a test must have for itself, such as its outbox, it gives to its tasks as their environment.
    """
    path = tmp_path_factory.mktemp("shared")
    home = AirflowHome(path, Path(__file__).parent / "integration" / "dags")
    home.migrate(database_template)
    yield home
    home.close()


@pytest.fixture
def own_environment(tmp_path: Path, sandbox: Sandbox, token: str) -> dict[str, str]:
    """Return an environment of tasks of the shared Airflow: a test's own outbox, sandbox, and SQLite database."""
    return {
        "AIRFLOW__RYFT__OUTBOX_PATH": str(tmp_path / "ryft-outbox"),
        **connection_variable("ryft_default", conn_type="ryft", host=sandbox.url, password=token),
        **connection_variable("lite", conn_type="sqlite", host=str(tmp_path / "lite.db")),
    }
