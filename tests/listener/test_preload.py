"""What is imported while the task works, and what becomes of that when the task forks."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from airflow_provider_ryft.listener import preload

SLOW = """
import time
from pathlib import Path

Path(__file__).with_suffix(".begun").touch()
time.sleep(0.5)
Path(__file__).with_suffix(".ended").touch()
"""


def python(folder: Path, code: str) -> str:
    """Run code in a process of its own, which may import from a folder."""
    found = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])},
    )
    assert found.returncode == 0, found.stderr
    return found.stdout


def test_modules_are_imported_once_and_in_order_and_without_waiting(tmp_path: Path) -> None:
    for name in ("slow_one", "slow_two"):
        (tmp_path / f"{name}.py").write_text(SLOW + f"print({name!r}, flush=True)\n")
    output = python(
        tmp_path,
        """
import sys
from airflow_provider_ryft.listener import preload
preload.preload("slow_one")
preload.preload("slow_one", "slow_two")
print("slow_two" in sys.modules, flush=True)
preload._thread.join()
""",
    )
    assert output.split() == ["False", "slow_one", "slow_two"]


def test_what_follows_the_imports_is_done_after_them_and_may_fail(tmp_path: Path) -> None:
    (tmp_path / "slow_one.py").write_text(SLOW)
    output = python(
        tmp_path,
        """
import logging, sys
logging.basicConfig(level="DEBUG", stream=sys.stdout)
from airflow_provider_ryft.listener import preload

def fail():
    raise RuntimeError("private")

preload.preload("slow_one", then=lambda: print("slow_one" in sys.modules, flush=True))
preload.preload("slow_one", then=lambda: print("again", flush=True))
preload.preload("json", then=fail)
preload._thread.join()
""",
    )
    assert output.splitlines()[0] == "True"
    assert "again" not in output
    assert "RuntimeError" in output
    assert "private" not in output


def test_a_thread_that_is_not_running_yet_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread, or a signal's handler, may come between a thread's making and its start."""
    monkeypatch.setattr(preload, "_thread", threading.Thread())
    preload.wait_for_imports()


def test_where_no_thread_can_be_started_nothing_is_imported_and_nothing_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preload, "_thread", None)
    monkeypatch.setattr(preload, "_wanted", set())
    done: list[int] = []
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", fail_to_start)
        preload.preload("json", then=lambda: done.append(1))
    preload.wait_for_imports()
    preload.preload("string", then=lambda: done.append(2))
    preload.wait_for_imports()
    assert done == [2]


def fail_to_start(_thread: threading.Thread) -> None:
    raise RuntimeError("can't start new thread")


def test_a_module_that_fails_fails_where_it_is_needed(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("raise RuntimeError('private')")
    output = python(
        tmp_path,
        """
import logging, sys
logging.basicConfig(level="DEBUG", stream=sys.stdout)
from airflow_provider_ryft.listener import preload
preload.preload("broken", "json.tool")
preload._thread.join()
assert "json.tool" in sys.modules
""",
    )
    assert "broken cannot be imported: RuntimeError" in output
    assert "private" not in output


@pytest.mark.filterwarnings("ignore")
def test_a_child_that_is_forked_meanwhile_can_import_the_same(tmp_path: Path) -> None:
    """The child would never get a lock whose holder it does not have."""
    (tmp_path / "slow_one.py").write_text(SLOW)
    output = python(
        tmp_path,
        f"""
import os, signal, time
from pathlib import Path
from airflow_provider_ryft.listener import preload
preload.preload("slow_one")
while not Path({str(tmp_path)!r}, "slow_one.begun").exists():
    time.sleep(0.001)
child = os.fork()
if not child:
    signal.alarm(10)
    import slow_one
    os._exit(0)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
""",
    )
    assert output.split() == ["0"]
    assert (tmp_path / "slow_one.ended").exists()
