"""What a DAG's author may call; importing it is cheap, and brings neither the client nor the outbox with it."""

from __future__ import annotations

from typing import Any, TypeVar

from airflow_provider_ryft.extractors.operators import describe_operator
from airflow_provider_ryft.listener.policy import MARK

__all__ = ["describe_operator", "disable_ryft", "enable_ryft"]

AnyObject = TypeVar("AnyObject")


def disable_ryft(obj: AnyObject) -> AnyObject:
    """Report nothing of a DAG or a task; a task's own setting goes before its DAG's.

    :param obj: a DAG, an operator, mapped or not, or what calling a ``@task`` function returned
    :return: the same object
    :raises TypeError: for anything else
    """
    return _mark(obj, reported=False)


def enable_ryft(obj: AnyObject) -> AnyObject:
    """Report a DAG or a task, in spite of ``selective_enable`` or of its DAG; an excluded one stays excluded.

    :param obj: a DAG, an operator, mapped or not, or what calling a ``@task`` function returned
    :return: the same object
    :raises TypeError: for anything else
    """
    return _mark(obj, reported=True)


def _mark(obj: AnyObject, *, reported: bool) -> AnyObject:
    target: Any = getattr(obj, "operator", obj)  # of an XComArg
    is_class = isinstance(target, type)  # it has its objects' attributes, but a mark would hold for all of them
    if is_class or (not hasattr(target, "task_dict") and not hasattr(target, "task_type")):
        raise TypeError(
            f"{'enable' if reported else 'disable'}_ryft() takes a DAG, an operator or the result of calling a @task "
            f"function, not {f'the class {target.__name__}' if is_class else type(obj).__name__}"
        )
    setattr(target, MARK, reported)
    return obj
