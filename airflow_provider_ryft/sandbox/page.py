"""The sandbox's page: the latest queries, without a script and without anything from other servers."""

from __future__ import annotations

from html import escape
from importlib.resources import files
from string import Template
from typing import Any
from urllib.parse import urlencode

from airflow_provider_ryft.ingest.query import QueryState
from airflow_provider_ryft.sandbox.store import StoredQuery

_SUMMARY_LENGTH = 300
_MAX_TEXT = 20_000

_PAGE = Template(files(__package__).joinpath("page.html").read_text(encoding="utf-8"))

_EMPTY = Template("""<p>$reason</p><pre>curl -X POST $url/ingest/push/queries \\
  -H 'X-Ryft-Token: $token' -H 'Content-Type: application/json' \\
  -d '{"context": {}, "queryId": "test-001", "query": "SELECT 1", "queryState": "FINISHED",
       "timestamp": "2026-03-10T12:00:00.000Z", "duration_ms": 100}'</pre>""")

_QUERY = Template("""<article><div><span class="$kind">$state</span>
<span>$start</span><span>$duration</span><span>$type</span><span class="quiet id">$id</span>
<span class="quiet where">$context</span></div>
$text$failures<ul>$tags</ul></article>""")


def render(
    queries: list[StoredQuery], total: int, *, tag: str, state: str, url: str, accepts_any_token: bool = True
) -> str:
    """Return the page.

    :param queries: what to show, the newest first
    :param total: how many there are in all
    :param tag: the tag that was asked for
    :param state: the state that was asked for
    :param url: the sandbox's own address
    :param accepts_any_token: whether any token is accepted
    """
    options = [("", "any state"), *((member.value, member.value) for member in QueryState)]
    states = "".join(
        f'<option value="{value}"{" selected" if value == state else ""}>{label}</option>' for value, label in options
    )
    body = "".join(_query(query.record) for query in queries) or _EMPTY.substitute(
        reason="No query is like that. Send one:" if total else "No query has arrived yet. Send a first one:",
        url=url,
        token="any" if accepts_any_token else escape("<the token>"),
    )
    wanted = urlencode({name: value for name, value in (("tag", tag), ("state", state)) if value})
    return _PAGE.substitute(
        shown=len(queries),
        total=f"{total:,}",
        json=escape(f"/queries?{wanted}"),
        tag=escape(tag),
        states=states,
        body=body,
    )


def _query(record: dict[str, Any]) -> str:
    context = dict(record["context"])
    kind = context.pop("queryType", "")
    failed = record["queryState"] == QueryState.FAILED.value
    tags = record.get("tags", [])
    return _QUERY.substitute(
        kind="bad" if failed else "good",
        state=escape(record["queryState"]),
        start=escape(record["timestamp"]),
        duration=_duration(record["duration_ms"]),
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
    return f'<pre class="failure"><span class="bad">{escape(head)}</span>\n{escape(message[:_MAX_TEXT])}</pre>'


def _text(text: str) -> str:
    shown = f"<pre>{escape(text[:_MAX_TEXT])}</pre>"
    if len(text) <= _SUMMARY_LENGTH:
        return shown
    cut = "" if len(text) <= _MAX_TEXT else f"; here are the first {_MAX_TEXT:,}, and all of them in /queries"
    return (
        f"<details><summary>{escape(' '.join(text[:_SUMMARY_LENGTH].split()))}… "
        f'<span class="quiet">({len(text):,} characters{cut})</span></summary>{shown}</details>'
    )


def _duration(milliseconds: float) -> str:
    """Return a duration in the units that a person would use."""
    if milliseconds < 999.5:  # what is more would be rounded to 1,000
        return f"{milliseconds:.3g} ms"
    if milliseconds < 59_950:
        return f"{milliseconds / 1_000:.3g} s"
    minutes, seconds = divmod(round(milliseconds / 1_000), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,} h {minutes} min" if hours else f"{minutes} min {seconds} s"
