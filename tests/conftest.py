"""What all tests share: an Airflow of their own, and a sandbox."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from airflow_provider_ryft.sandbox.server import Sandbox

# Before anything imports Airflow, which reads its configuration once: a home of its own, and nothing of the user's.
for _name in list(os.environ):
    if _name.startswith(("AIRFLOW", "RYFT_SANDBOX")) or _name.lower().endswith("_proxy"):
        del os.environ[_name]
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="ryft-airflow-")
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "False"
os.environ["AIRFLOW__USAGE_DATA_COLLECTION__ENABLED"] = "False"

# The suite's output is searched for this text, which must be in none of it.
TOKEN = "-".join(["s3cret", "token", "of", "the", "suite"])


@pytest.fixture
def token() -> str:
    """Return the one token that the sandbox accepts."""
    return TOKEN


@pytest.fixture
def sandbox(token: str) -> Iterator[Sandbox]:
    """Run a sandbox that accepts only the suite's token."""
    from airflow_provider_ryft.sandbox.server import Sandbox

    with Sandbox(token=token) as running:
        yield running
