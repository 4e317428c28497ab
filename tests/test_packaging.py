"""What is built and published."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Build the distributions, and return the names of the files in each."""
    target = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--outdir", str(target), str(ROOT)], check=True, capture_output=True, text=True
    )
    (wheel,) = target.glob("*.whl")
    (sdist,) = target.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        names = {"wheel": set(archive.namelist())}
    with tarfile.open(sdist) as tar:
        names["sdist"] = {name.partition("/")[2] for name in tar.getnames()}
    return names


def test_the_wheel_holds_the_package_and_nothing_else(built: dict[str, set[str]]) -> None:
    """Tests, example DAGs or a namespace of Airflow's own would clash with others."""
    tops = {name.partition("/")[0] for name in built["wheel"]}
    assert "airflow_provider_ryft" in tops
    assert len(tops) == 2
    assert any(top.endswith(".dist-info") for top in tops)


def test_the_wheel_holds_every_file_of_the_package(built: dict[str, set[str]]) -> None:
    files = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "airflow_provider_ryft").rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    assert {name for name in built["wheel"] if name.startswith("airflow_provider_ryft/")} == files
    assert "airflow_provider_ryft/py.typed" in files


def test_the_sdist_holds_what_it_takes_to_test_it(built: dict[str, set[str]]) -> None:
    wanted = {"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "Makefile", "pyproject.toml", "demo.py"}
    assert wanted <= built["sdist"]
    for folder in ("example_dags", "tests", "requirements", "constraints"):
        assert any(name.startswith(f"{folder}/") for name in built["sdist"])
