"""What the queries of a task have in common: DAG, task, run and try."""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

from airflow_provider_ryft.capture.statement import text_or_none

log = logging.getLogger(__name__)


class TaskFacts(NamedTuple):
    """What the queries of one try of one task have in common; a fact that is not known is ``None``.

    :param map_index: the position of a mapped task instance; -1 if the task is not mapped
    :param operator: the operator's name, or its decorator's
    :param dag_tags: the DAG's tags, sorted
    """

    dag_id: str | None = None
    task_id: str | None = None
    run_id: str | None = None
    try_number: int | None = None
    map_index: int = -1
    operator: str | None = None
    owner: str | None = None
    dag_tags: tuple[str, ...] = ()

    @classmethod
    def of(cls, task_instance: Any) -> TaskFacts:
        """Read a task instance as the task's process has it, in Airflow 2.11 and 3; never raises.

        :param task_instance: with its ``task``, and that with its ``dag``
        """
        task = read_attribute(task_instance, "task")
        map_index = _int_or_none(read_attribute(task_instance, "map_index"))
        tags = read_attribute(read_attribute(task, "dag"), "tags")
        tags = tags if isinstance(tags, (list, tuple, set)) else ()
        return cls(
            dag_id=_read_text(task_instance, "dag_id"),
            task_id=_read_text(task_instance, "task_id"),
            run_id=_read_text(task_instance, "run_id"),
            try_number=_int_or_none(read_attribute(task_instance, "try_number")),
            map_index=-1 if map_index is None else map_index,
            operator=_read_text(task, "operator_name") or _read_text(task, "task_type"),
            owner=_read_text(task, "owner"),
            dag_tags=tuple(sorted(filter(None, map(text_or_none, tags)))),
        )

    def tags(self) -> list[str]:
        """Return the facts as tags, ``name:value``."""
        facts = {
            "dag_id": self.dag_id,
            "task_id": self.task_id,
            "run_id": self.run_id,
            "try_number": self.try_number,
            "map_index": self.map_index if self.map_index >= 0 else None,
            "operator": self.operator,
            "owner": self.owner,
        }
        tags = [f"{name}:{value}" for name, value in facts.items() if value is not None]
        return tags + [f"dag_tag:{tag}" for tag in self.dag_tags]


def read_attribute(holder: object, name: str) -> Any:
    """Return an attribute, ``None`` if there is none or if it cannot be read."""
    try:
        return getattr(holder, name, None)
    except Exception as error:
        log.debug("%s of %s cannot be read: %s", name, type(holder).__name__, type(error).__name__)
        return None


def _read_text(holder: object, name: str) -> str | None:
    return text_or_none(read_attribute(holder, name))


def _int_or_none(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
