"""An Airflow with a home of its own, run in processes of its own, as an installation is."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.supervised import OUTCOME


def connection_variable(conn_id: str, **parts: Any) -> dict[str, str]:
    """Return the environment variable that defines a connection."""
    return {f"AIRFLOW_CONN_{conn_id.upper()}": json.dumps(parts)}


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
    _supervisor: subprocess.Popen[str] | None = None
    _supervisor_s: dict[str, str] = field(default_factory=dict)

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
        self.environment.update(connection_variable(conn_id, **parts))

    def migrate(self, template: Path) -> None:
        """Make the database: the first time with Airflow's own command, then as a copy of what it made.

        :param template: where the first database is kept; several processes may share it
        """
        with template.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not template.exists():
                self.airflow("db", "migrate")
                shutil.copy(self.path / "airflow.db", template)
        shutil.copy(template, self.path / "airflow.db")

    def airflow(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run an Airflow command."""
        return self.python("-m", "airflow", *arguments, check=check)

    def supervise(self, *tasks: dict[str, Any], **environment: str) -> list[dict[str, Any]]:
        """Run tasks, each in a process forked by a real supervisor, and return their outcomes.

        The supervisor lives on for later calls, until the environment of this home changes: on Airflow 2.11 it
        has loaded the plugins, which read some options then.

        :param environment: variables of these tasks only
        """
        if self._supervisor is None or self._supervisor_s != self.environment:
            self.close()
            self._supervisor_s = dict(self.environment)
            self._supervisor = subprocess.Popen(
                [sys.executable, os.fspath(Path(__file__).with_name("supervised.py"))],
                env=self.environment,
                cwd=self.path,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        assert self._supervisor.stdin
        assert self._supervisor.stdout
        request = [{"environment": environment, **task} for task in tasks]
        self._supervisor.stdin.write(json.dumps(request) + "\n")
        self._supervisor.stdin.flush()
        start = len(self.output)
        for line in self._supervisor.stdout:
            if line.startswith(OUTCOME):
                outcome: list[dict[str, Any]] = json.loads(line.removeprefix(OUTCOME))
                return outcome
            self.output += line
        self.close()
        raise AssertionError(f"the supervisor ended:\n{self.output[start:][-10_000:]}")

    def close(self) -> None:
        """End the supervisor."""
        if self._supervisor is None:
            return
        with self._supervisor as process:
            assert process.stdin
            process.stdin.close()
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
        self._supervisor = None

    def python(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run Python in this home; fail with its output."""
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
