"""The sandbox's page: the latest queries, for a person to look at. No script, nothing from elsewhere."""

from __future__ import annotations

import json
from html import escape
from importlib.resources import files
from string import Template
from typing import Any
from urllib.parse import urlencode

from airflow_provider_ryft.ingest.query import QueryState
from airflow_provider_ryft.sandbox.store import Delivery

_LONG = 300

_PAGE = Template(files(__package__).joinpath("page.html").read_text(encoding="utf-8"))

_EMPTY = Template("""<p>$reason</p><pre>curl -X POST $url/ingest/push/queries \\
  -H 'X-Ryft-Token: any' -H 'Content-Type: application/json' \\
  -d '{"context": {}, "queryId": "test-001", "query": "SELECT 1", "queryState": "FINISHED",
       "timestamp": "2026-03-10T12:00:00.000Z", "duration_ms": 100}'</pre>""")

_QUERY = Template("""<article><div><span class="$kind">$state</span>
<span>$start</span><span>$duration</span><span>$type</span>
<span class="quiet">$context</span><span class="quiet">$id</span></div>
$failures$text<ul>$tags</ul></article>""")


def render(deliveries: list[Delivery], total: int, *, tag: str, state: str, url: str) -> str:
    """Return the page.

    :param deliveries: what to show, the newest first
    :param total: how many there are in all
    :param tag: the tag that was asked for
    :param state: the state that was asked for
    :param url: the sandbox's own address
    """
    options = [("", "any state"), *((member.value, member.value) for member in QueryState)]
    states = "".join(
        f'<option value="{value}"{" selected" if value == state else ""}>{label}</option>' for value, label in options
    )
    reason = "No query has arrived yet. Send a first one:" if not total else "No query is like that. Send one:"
    body = "".join(_query(delivery.record) for delivery in deliveries) or _EMPTY.substitute(reason=reason, url=url)
    return _PAGE.substitute(shown=len(deliveries), total=total, tag=escape(tag), states=states, body=body)


def _query(record: dict[str, Any]) -> str:
    context = dict(record["context"])
    kind = context.pop("queryType", "")
    failed = record["queryState"] == QueryState.FAILED.value
    tags = record.get("tags", [])
    return _QUERY.substitute(
        kind="bad" if failed else "good",
        state=escape(record["queryState"]),
        start=escape(record["timestamp"]),
        duration=f"{record['duration_ms']:,.6g} ms",
        type=escape(kind),
        context=escape(" · ".join(f"{name} {value}" for name, value in context.items())),
        id=escape(record["queryId"]),
        failures="".join(map(_failure, _several(record.get("failureInfo")))),
        text=_text(record["query"]),
        tags="".join(f'<li><a href="/?{escape(urlencode({"tag": tag}))}">{escape(tag)}</a></li>' for tag in tags),
    )


def _several(failures: Any) -> list[Any]:
    if failures is None:
        return []
    return failures if isinstance(failures, list) else [failures]


def _failure(failure: dict[str, Any]) -> str:
    code = failure["errorCode"]
    names = [code["type"], code.get("name"), code.get("code"), failure.get("failureType")]
    head = " · ".join(str(name) for name in names if name is not None)
    message = failure.get("failureMessage", "")
    return f'<pre><span class="bad">{escape(head)}</span> {escape(message)}</pre>'


def _text(text: str) -> str:
    shown = f"<pre>{escape(text)}</pre>"
    if len(text) <= _LONG:
        return shown
    first = json.dumps(text[:80], ensure_ascii=False)[1:-1]
    return f"<details><summary>{escape(first)}… ({len(text):,} characters)</summary>{shown}</details>"
