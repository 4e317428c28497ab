"""Parses the body of a push, and says why its queries are refused."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice
from typing import Any

from airflow_provider_ryft.exceptions import ConfigurationError
from airflow_provider_ryft.sandbox.faults import Fault
from airflow_provider_ryft.sandbox.schema import problems

_MAX_PROBLEMS = 20
_ESCAPED_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


def parse_body(body: bytes) -> tuple[list[Any], str]:
    """Return the elements of a body's array, or its one object, and what is wrong with the body, if anything."""
    try:
        decoded = json.loads(body.decode("utf-8"), parse_constant=_no_constant)
        if _ESCAPED_SURROGATE.search(body):
            json.dumps(decoded, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return [], "The body holds half a surrogate pair, which is no character."
    except (ValueError, RecursionError) as error:
        return [], f"The body is not JSON: {error}"
    return (decoded if isinstance(decoded, list) else [decoded]), ""


def _no_constant(name: str) -> None:
    raise ConfigurationError(f"{name} is no JSON number")


def rejection(queries: list[Any], rules: list[Fault]) -> dict[str, Any] | None:
    """Return the answer that says why the queries are refused; ``None`` if all of them are accepted.

    :param queries: what the body held
    :param rules: the faults that refuse queries
    """
    reasons = list(islice(_reasons(queries, rules), _MAX_PROBLEMS))
    if not reasons:
        return None
    found = f"{len(reasons)} or more" if len(reasons) == _MAX_PROBLEMS else len(reasons)
    return {"error": f"None of the {len(queries)} queries was taken; problems found: {found}", "reasons": reasons}


def _reasons(queries: list[Any], rules: list[Fault]) -> Iterator[dict[str, Any]]:
    """Yield why the queries are refused; lazily, because a million of them may be."""
    for position, query in enumerate(queries):
        query_id = query.get("queryId") if isinstance(query, dict) else None
        for problem in _problems(query, rules):
            yield {"position": position, "queryId": query_id, "problem": problem}


def _problems(query: Any, rules: list[Fault]) -> list[str]:
    if any(rule.refuses(query) for rule in rules):
        return ["The sandbox was told to refuse it."]
    return problems(query)
