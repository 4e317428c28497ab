"""The tests that come with ``common.sql``: they pass and fail alike whether or not its hooks are observed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
from importlib.metadata import version
from pathlib import Path

import pytest

from support import services

PEER = "apache-airflow-providers-common-sql"
HERE = Path(__file__).parent

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def peer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the peer's source distribution, unpacked."""
    target = tmp_path_factory.mktemp("peer")
    wanted = f"{PEER}=={version(PEER)}"
    done = subprocess.run(
        [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:", "-d", target, wanted],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        services.require(f"{wanted} can't be downloaded: {done.stderr[-300:]}")
    (archive,) = target.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        tar.extractall(target, filter="data")
    return next(path for path in target.iterdir() if path.is_dir())


def outcomes(peer: Path, home: Path, *plugins: str) -> tuple[dict[str, str], str]:
    """Run the peer's tests of its hooks; return each test's outcome, and all that was printed."""
    options = "--noconftest --continue-on-collection-errors -q -rA --tb=no -W ignore -o addopts= --rootdir=."
    loaded = [option for plugin in ("no:cacheprovider", "stand_ins", *plugins) for option in ("-p", plugin)]
    path = os.pathsep.join([str(HERE), str(peer), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options.split(), *loaded, "unit/common/sql/hooks"],
        cwd=peer / "tests",
        env={**os.environ, "PYTHONPATH": path, "AIRFLOW_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    found = re.findall(r"^(PASSED|FAILED|ERROR|SKIPPED) (\S+)", done.stdout, flags=re.MULTILINE)
    return {test: outcome for outcome, test in found}, done.stdout


def test_the_peer_s_tests_do_not_notice(peer: Path, tmp_path: Path) -> None:
    alone, _ = outcomes(peer, tmp_path)
    observed, output = outcomes(peer, tmp_path, "observed")
    assert observed == alone
    assert list(alone.values()).count("PASSED") > 60
    (statements,) = re.findall(r"^OBSERVED (\d+)", output, flags=re.MULTILINE)
    assert int(statements) > 20
