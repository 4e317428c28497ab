"""The page shows what arrived to a person, and nothing of it is taken for HTML."""

from __future__ import annotations

from html import escape
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given

from airflow_provider_ryft.sandbox.page import render
from airflow_provider_ryft.sandbox.store import StoredQuery
from support.strategies import VALID, changed, payloads

URL = "http://127.0.0.1:8089"
NASTY = [
    "</pre><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '" autofocus onfocus="alert(1)',
    "'><b>$tag&amp;",
]


class Reader(HTMLParser):
    """Reads a page into its elements, with their attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        self.text.append(data)

    def links(self) -> list[str | None]:
        return [attributes["href"] for tag, attributes in self.elements if tag == "a"]

    def shows(self, text: str) -> bool:
        return any(text in piece for piece in self.text)


def page(*records: dict[str, Any], tag: str = "", state: str = "", total: int | None = None, **more: Any) -> Reader:
    deliveries = [StoredQuery(number, "2026-03-10T12:00:01.000Z", record) for number, record in enumerate(records, 1)]
    return Reader(render(deliveries, len(records) if total is None else total, tag=tag, state=state, url=URL, **more))


@pytest.mark.parametrize(
    "text",
    [
        "FAILED",
        "2026-03-10T12:00:00.000Z",
        "12.5 ms",
        "SELECT",
        "catalog iceberg · schema gold · serverVersion 476 · user airflow · userAgent suite",
        "q-1",
        "SELECT 1",
        "USER_ERROR · SYNTAX_ERROR · 1 · io.trino.spi.TrinoException",
        "line 1:8: no such column",
        "dag:sales",
        "task:load",
    ],
)
def test_a_query_is_shown_with_its(text: str) -> None:
    assert page(VALID).shows(text)


def test_a_query_that_failed_differs_from_one_that_did_not() -> None:
    def kinds(state: str) -> list[str | None]:
        elements = page(changed("queryState", state, {**VALID, "failureInfo": []})).elements
        return [attributes.get("class") for tag, attributes in elements if tag == "span"]

    assert "bad" in kinds("FAILED")
    assert "good" not in kinds("FAILED")
    assert "bad" not in kinds("SUCCEEDED")
    assert "good" in kinds("FINISHED")


def test_a_query_without_optional_fields() -> None:
    least = {key: VALID[key] for key in ("queryId", "query", "queryState", "timestamp", "duration_ms")}
    assert page({**least, "context": {}}).shows("q-1")


def test_a_query_with_several_failures_shows_all() -> None:
    failures = [{"errorCode": {"type": "EXTERNAL", "code": 0}}, {"errorCode": {"type": "USER_ERROR", "name": "E7"}}]
    shown = page(changed("failureInfo", failures))
    assert shown.shows("EXTERNAL · 0")
    assert shown.shows("USER_ERROR · E7")


@pytest.mark.parametrize(
    ("milliseconds", "shown"),
    [
        (0, "0 ms"),
        (0.25, "0.25 ms"),
        (999, "999 ms"),
        (999.96, "1 s"),
        (1_000, "1 s"),
        (12_345.6, "12.3 s"),
        (59_999, "1 min 0 s"),
        (60_000, "1 min 0 s"),
        (92_345, "1 min 32 s"),
        (7_890_123, "2 h 11 min"),
        (3_599_999, "1 h 0 min"),
        (10**15, "277,777,777 h 46 min"),
    ],
)
def test_a_duration_is_in_readable_units(milliseconds: float, shown: str) -> None:
    assert shown in page(changed("duration_ms", milliseconds)).text


@pytest.mark.parametrize("milliseconds", [1.7e308, 10**308, 5e-324])
def test_a_duration_may_be_anything(milliseconds: float) -> None:
    assert page(changed("duration_ms", milliseconds)).shows("q-1")


def test_a_long_text_is_folded_under_its_beginning() -> None:
    text = "SELECT *\n  FROM   a" + " UNION ALL SELECT * FROM b" * 20
    shown = page(changed("query", text))
    assert [tag for tag, _ in shown.elements if tag in ("details", "summary")] == ["details", "summary"]
    assert shown.shows("SELECT * FROM a UNION ALL")
    assert shown.shows(f"({len(text)} characters)")
    assert shown.shows(text)


def test_a_very_long_text_is_cut_and_says_so() -> None:
    text = "x" * 1_000_000
    assert page(changed("query", text)).shows("(1,000,000 characters; here are the first 20,000, ")
    long = [changed("query", text), changed("failureInfo.failureMessage", text)]
    assert sum(map(len, page(*long).text)) < 50_000


def test_tags_are_links_to_their_filter() -> None:
    shown = page(changed("tags", ["dag:sales", "a b&c=d#ü"]))
    assert shown.links()[-2:] == ["/?tag=dag%3Asales", "/?tag=a+b%26c%3Dd%23%C3%BC"]


@pytest.mark.parametrize("nasty", NASTY)
@pytest.mark.parametrize(
    "path",
    [
        "query",
        "queryId",
        "context.catalog",
        "context.user",
        "failureInfo.failureMessage",
        "failureInfo.failureType",
        "failureInfo.errorCode.name",
    ],
)
def test_what_was_sent_is_text(path: str, nasty: str) -> None:
    harmless = page(changed(path, "x"))
    shown = page(changed(path, nasty))
    assert shown.elements == harmless.elements
    assert shown.shows(nasty)


@pytest.mark.parametrize("nasty", NASTY)
def test_tags_and_their_links_are_text(nasty: str) -> None:
    harmless = page(changed("tags", ["x"]))
    shown = page(changed("tags", [nasty]))
    assert [tag for tag, _ in shown.elements] == [tag for tag, _ in harmless.elements]
    assert [set(attributes) for _, attributes in shown.elements] == [set(each) for _, each in harmless.elements]
    assert shown.shows(nasty)


@pytest.mark.parametrize("nasty", NASTY)
def test_a_folded_text_is_text(nasty: str) -> None:
    harmless = page(changed("query", "x" * 400))
    assert page(changed("query", nasty + "x" * 400)).elements == harmless.elements


@pytest.mark.parametrize("nasty", NASTY)
def test_a_filter_is_text(nasty: str) -> None:
    shown = page(VALID, tag=nasty)
    assert ("input", {"name": "tag", "placeholder": "tag", "aria-label": "Tag", "value": nasty}) in shown.elements
    assert [tag for tag, _ in shown.elements] == [tag for tag, _ in page(VALID).elements]


@given(record=payloads())
def test_no_query_adds_an_element_of_its_own(record: dict[str, Any]) -> None:
    elements = {tag for tag, _ in page(record).elements}
    ours = "html head meta title style body header h1 a span form input select option button article div pre"
    assert elements <= {*ours.split(), "details", "summary", "ul", "li"}


def test_there_is_no_script_and_nothing_from_other_servers() -> None:
    shown = page(VALID)
    assert "script" not in {tag for tag, _ in shown.elements}
    assert not any("src" in attributes for _, attributes in shown.elements)
    assert all((link or "").startswith("/") for link in shown.links())
    assert not any("url(" in text or "@import" in text for text in shown.text)


def test_the_page_counts() -> None:
    assert page(VALID, VALID, total=1_234).shows("2 shown of 1,234 received")


def test_the_filter_keeps_what_was_asked_for() -> None:
    shown = page(VALID, tag="dag:sales", state="FAILED")
    assert [attributes["value"] for tag, attributes in shown.elements if tag == "option"] == [
        "",
        "FINISHED",
        "SUCCEEDED",
        "FAILED",
    ]
    assert [a["value"] for tag, a in shown.elements if tag == "option" and "selected" in a] == ["FAILED"]
    assert "/queries?tag=dag%3Asales&state=FAILED" in shown.links()


def test_an_empty_page_says_how_to_send_a_first_query() -> None:
    shown = page()
    assert shown.shows("No query has arrived yet. Send a first one:")
    assert shown.shows(f"curl -X POST {URL}/ingest/push/queries")
    assert shown.shows("X-Ryft-Token: any")
    assert page(accepts_any_token=False).shows("X-Ryft-Token: <the token>")


def test_an_empty_choice_says_that_there_are_others() -> None:
    assert page(total=3, tag="x").shows("No query is like that.")


def test_the_page_has_a_known_encoding_in_light_and_dark() -> None:
    html = render([], 0, tag="", state="", url=URL)
    assert html.startswith("<!doctype html>")
    assert '<meta charset="utf-8">' in html
    assert "color-scheme: light dark" in html
    assert escape(URL) in html
