"""An Airflow with a home of its own, run in processes of its own, as an installation is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class AirflowHome:
    """A home folder with a migrated database, and the environment of processes that use it.

    :param path: the folder
    :param dags: folder of the DAG files
    """

    path: Path
    dags: Path
    environment: dict[str, str] = field(default_factory=dict)
    output: str = ""

    def __post_init__(self) -> None:
        self.environment = {
            **os.environ,
            "HOME": str(self.path),
            "AIRFLOW_HOME": str(self.path),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{self.path}/airflow.db",
            **self.environment,
        }

    def connect(self, conn_id: str, **parts: Any) -> None:
        """Give all later processes a connection."""
        self.environment[f"AIRFLOW_CONN_{conn_id.upper()}"] = json.dumps(parts)

    def migrate(self, template: Path) -> None:
        """Make the database: the first time with Airflow's own command, then as a copy of what it made."""
        if not template.exists():
            self.airflow("db", "migrate")
            shutil.copy(self.path / "airflow.db", template)
        shutil.copy(template, self.path / "airflow.db")

    def airflow(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run an Airflow command."""
        return self.python("-m", "airflow", *arguments, check=check)

    def supervise(self, *tasks: dict[str, Any]) -> list[dict[str, Any]]:
        """Run tasks, each in a process forked by a real supervisor; return what became of each."""
        done = self.python(os.fspath(Path(__file__).with_name("supervised.py")), json.dumps(tasks))
        self.output += done.stdout
        outcome: list[dict[str, Any]] = json.loads(done.stdout.strip().splitlines()[-1])
        return outcome

    def python(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run Python in this home; fail with all that it said."""
        done = subprocess.run(
            [sys.executable, *arguments],
            env=self.environment,
            cwd=self.path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=240,
        )
        if check and done.returncode:
            raise AssertionError(f"{' '.join(arguments)} ended with {done.returncode}:\n{done.stdout[-10_000:]}")
        return done
