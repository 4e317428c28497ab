"""The hook: from an Airflow connection to a client."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_ryft.exceptions import ConfigurationError
from airflow_provider_ryft.get_provider_info import get_provider_info
from airflow_provider_ryft.hooks.ryft import RyftIngestHook
from airflow_provider_ryft.ingest.query import Query
from airflow_provider_ryft.sandbox.faults import Fault

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_ryft.sandbox.server import Sandbox

    Connect = Callable[..., RyftIngestHook]


QUERY = Query(
    query_id="q-1",
    query="SELECT 1",
    query_state="FINISHED",  # type: ignore[arg-type]
    timestamp="2026-03-10T12:00:00Z",  # type: ignore[arg-type]
    duration_ms=1,
)


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch, sandbox: Sandbox, token: str) -> Callable[..., RyftIngestHook]:
    """Return a function that makes a hook whose connection differs from one to the sandbox in what is given."""

    def make(extra: dict[str, Any] | None = None, **parts: Any) -> RyftIngestHook:
        connection = {"conn_type": "ryft", "host": sandbox.url, "password": token, "extra": extra or {}, **parts}
        monkeypatch.setenv("AIRFLOW_CONN_RYFT_DEFAULT", json.dumps(connection))
        return RyftIngestHook()

    return make


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_queries_of_the_connection_arrive(connect: Connect, sandbox: Sandbox) -> None:
    """The password is the token, the host is the address."""
    result = connect().push_queries([QUERY])
    assert result.accepted == 1
    assert sandbox.records() == [QUERY.to_payload()]


def test_the_connection_is_looked_up_when_it_is_first_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hook can be made while a DAG file is read, where there may be no connection."""
    looked_up = []

    def get_connection(conn_id: str) -> Any:
        looked_up.append(conn_id)
        raise LookupError(conn_id)

    monkeypatch.setattr(RyftIngestHook, "get_connection", staticmethod(get_connection))
    hook = RyftIngestHook("nowhere")
    assert looked_up == []
    with pytest.raises(LookupError):
        hook.get_conn()
    assert looked_up == ["nowhere"]


def test_the_client_is_made_once(connect: Connect) -> None:
    hook = connect()
    assert hook.get_conn() is hook.get_conn()


@pytest.mark.parametrize(
    ("parts", "base_url"),
    [
        ({"host": ""}, "https://ingest.ryft.io"),
        ({"host": None}, "https://ingest.ryft.io"),
        ({"host": "ryft.example.com"}, "https://ryft.example.com"),
        ({"host": "ryft.example.com", "port": 8443}, "https://ryft.example.com:8443"),
        ({"host": "ryft.example.com/eu/"}, "https://ryft.example.com/eu"),
        ({"host": "ryft.example.com/eu", "port": 8443}, "https://ryft.example.com:8443/eu"),
        ({"host": "https://ryft.example.com:8443/eu"}, "https://ryft.example.com:8443/eu"),
        ({"host": "https://ryft.example.com:8443", "port": 8443}, "https://ryft.example.com:8443"),
        ({"host": "http://localhost", "port": 8089}, "http://localhost:8089"),
        ({"host": "localhost", "port": 8089, "schema": "http"}, "http://localhost:8089"),
        ({"host": "ryft.example.com", "schema": "https"}, "https://ryft.example.com"),
        ({"host": "ryft.example.com", "schema": "eu/west"}, "https://ryft.example.com/eu/west"),
        ({"host": "[::1]", "port": 8089, "schema": "http"}, "http://[::1]:8089"),
        ({"host": "  ryft.example.com \n"}, "https://ryft.example.com"),
    ],
)
def test_the_address_is_put_together(connect: Connect, parts: dict[str, Any], base_url: str) -> None:
    """Scheme, port and path prefix are honoured wherever a connection may have them."""
    assert connect(**parts).get_conn().base_url == base_url


def test_a_connection_can_be_given_as_uri(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_RYFT_DEFAULT", "ryft://:t%40ken@ryft.example.com:8443/eu?deadline=7")
    client = RyftIngestHook().get_conn()
    assert client.base_url == "https://ryft.example.com:8443/eu"
    assert client.limits.deadline == 7


def test_a_path_prefix_is_part_of_each_request(connect: Connect, sandbox: Sandbox) -> None:
    ok, message = connect(host=f"{sandbox.url}/elsewhere").test_connection()
    assert not ok
    assert "/elsewhere" in message


def test_a_token_pasted_with_its_line_end_works(connect: Connect, token: str) -> None:
    assert connect(password=f" {token}\r\n").push_queries([QUERY]).accepted == 1


def test_each_option_of_the_form_reaches_the_client(connect: Connect, tmp_path: Any) -> None:
    bundle = tmp_path / "ca.pem"
    bundle.write_text("")
    given = {
        "connect_timeout": 1,
        "read_timeout": 2.5,
        "deadline": "3",
        "max_batch_count": "4",
        "max_batch_bytes": 5,
        "verify": str(bundle),
        "proxies": "http://proxy.example.com:3128",
        "allow_http": "true",
    }
    fields = get_provider_info()["connection-types"][0]["conn-fields"]
    assert given.keys() == fields.keys()
    client = connect(given).get_conn()
    assert (client.limits.deadline, client.limits.max_count, client.limits.max_bytes) == (3, 4, 5)
    transport = client._transport
    assert transport._timeout == (1, 2.5)
    assert transport._verify == str(bundle)
    assert transport._proxies == dict.fromkeys(("http", "https"), "http://proxy.example.com:3128")


def test_what_the_form_leaves_empty_is_not_given(connect: Connect) -> None:
    """Airflow's forms store empty fields as empty text or null."""
    fields = get_provider_info()["connection-types"][0]["conn-fields"]
    for empty in ("", None):
        assert connect(dict.fromkeys(fields, empty)).get_conn().limits.deadline == 60


@pytest.mark.parametrize(
    ("extra", "expected"),
    [
        ({"dead_line": 3}, "did you mean deadline?"),
        ({"colour": "red"}, "allowed: connect_timeout, "),
        ({"deadline": "soon"}, "deadline in the extra must be a number, not 'soon'"),
        ({"deadline": True}, "deadline in the extra must be a number, not True"),
        ({"deadline": 0}, "deadline must be a number above 0"),
        ({"deadline": "nan"}, "deadline must be a number above 0"),
        ({"max_batch_count": 1.5}, "max_batch_count in the extra must be a whole number"),
        ({"max_batch_bytes": -1}, "max_batch_bytes must be a number above 0"),
        ({"allow_http": "maybe"}, "allow_http in the extra must be true or false"),
        ({"verify": "/no/such/bundle.pem"}, "verify names a CA bundle that is not there"),
        ({"verify": 7}, "verify in the extra must be true or false"),
        ({"proxies": ["http://user:pa55word@proxy"]}, "proxies in the extra must be an address"),
        ({"proxies": "{not json"}, "proxies in the extra must be an address"),
    ],
)
def test_a_bad_option_is_one_sentence(connect: Connect, extra: dict[str, Any], expected: str) -> None:
    """The sentence names the connection, the option and what is allowed, and no secret."""
    with pytest.raises(ConfigurationError) as caught:
        connect(extra).get_conn()
    message = str(caught.value)
    assert message.startswith("Connection 'ryft_default': ")
    assert expected in message
    assert "pa55word" not in message


def test_proxies_by_scheme_can_be_json_text(connect: Connect) -> None:
    """2.11's form has text fields only."""
    hook = connect({"proxies": '{"https": "http://proxy:3128"}'}, host="ryft.example.com")
    transport = hook.get_conn()._transport
    assert transport._proxies == {"https": "http://proxy:3128"}


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ({"password": None}, "The ingest token is empty"),
        ({"password": " \n"}, "The ingest token is empty"),
        ({"password": "tökén"}, "holds a character that no token has"),
        ({"host": "http://ryft.example.com"}, "over plain http"),
        ({"host": "ftp://ryft.example.com"}, "is not an address"),
        ({"host": "ryft.example.com:99999"}, "is not an address"),
        ({"host": "ryft.example.com:1", "port": 2}, "Give one of them only"),
        ({"host": "user:pa55word@ryft.example.com"}, "no user, password"),
    ],
)
def test_a_bad_connection_is_one_sentence(connect: Connect, parts: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        connect(**parts).get_conn()
    assert expected in str(caught.value)
    assert "pa55word" not in str(caught.value)
    assert "tökén" not in str(caught.value)


def test_connection_test_with_an_accepted_token(connect: Connect, sandbox: Sandbox) -> None:
    """It really asks the server, and invents no query."""
    assert connect().test_connection() == (True, f"{sandbox.url} accepted the token.")
    assert [(request.status, request.queries) for request in sandbox.requests] == [(200, 0)]
    assert sandbox.records() == []


def test_connection_test_with_a_refused_token(connect: Connect) -> None:
    ok, message = connect(password="another-t0ken").test_connection()
    assert not ok
    assert "refused the ingest token (401). Put a valid token" in message
    assert "another-t0ken" not in message


def test_connection_test_with_a_wrong_address(connect: Connect, sandbox: Sandbox) -> None:
    ok, message = connect(host=f"{sandbox.url}/v2").test_connection()
    assert not ok
    assert f"There is no Ingest API at {sandbox.url}/v2 (404). Check the address" in message


def test_connection_test_with_a_redirect(connect: Connect, sandbox: Sandbox) -> None:
    sandbox.faults.set(Fault(status=308, location="https://elsewhere.example.com/ingest"))
    ok, message = connect().test_connection()
    assert not ok
    assert "redirects to https://elsewhere.example.com (308), which is not followed" in message


def test_connection_test_with_tls_that_fails(connect: Connect, sandbox: Sandbox) -> None:
    ok, message = connect(host=sandbox.url.replace("http:", "https:")).test_connection()
    assert not ok
    assert "the TLS handshake failed" in message
    assert "CA bundle" in message


def test_connection_test_with_no_route(connect: Connect) -> None:
    ok, message = connect(host=f"http://127.0.0.1:{free_port()}").test_connection()
    assert not ok
    assert "the connection failed (Connection refused)" in message
    assert "Check the address and its port" in message


def test_connection_test_with_an_unknown_name(connect: Connect) -> None:
    ok, message = connect(host="https://ryft.invalid").test_connection()
    assert not ok
    assert "its name could not be looked up" in message


def test_connection_test_with_a_server_that_says_nothing(connect: Connect, sandbox: Sandbox) -> None:
    sandbox.faults.set(Fault(hang=True))
    ok, message = connect({"deadline": 0.3}).test_connection()
    assert not ok
    assert "no firewall is between" in message


def test_connection_test_with_a_page_for_people(connect: Connect, sandbox: Sandbox) -> None:
    """A proxy's login page answers 200 to everything."""
    sandbox.faults.set(Fault(status=200, content_type="text/html", body="<h1>Log in</h1>"))
    ok, message = connect().test_connection()
    assert not ok
    assert "a page for people" in message


def test_connection_test_with_a_server_that_is_something_else(connect: Connect, sandbox: Sandbox) -> None:
    sandbox.faults.set(Fault(status=418))
    ok, message = connect().test_connection()
    assert not ok
    assert "answered 418, which an Ingest API does not" in message


def test_connection_test_with_a_server_that_is_down(connect: Connect, sandbox: Sandbox) -> None:
    sandbox.faults.set(Fault(status=503))
    ok, message = connect().test_connection()
    assert not ok
    assert "cannot take queries now (503). Try again later." in message


def test_connection_test_with_a_server_that_refuses_an_empty_batch(connect: Connect, sandbox: Sandbox) -> None:
    """The token was not refused; more can't be said without inventing a query."""
    sandbox.faults.set(Fault(status=400))
    ok, message = connect().test_connection()
    assert ok
    assert "Push one query to be sure." in message


@pytest.mark.parametrize("broken", [{"password": ""}, {"host": "ftp://x"}, {"extra": {"deadline": "x"}}])
def test_connection_test_with_a_connection_that_cannot_be_used(connect: Connect, broken: dict[str, Any]) -> None:
    ok, message = connect(**broken).test_connection()
    assert not ok
    assert message.startswith("Connection 'ryft_default': ")


def test_connection_test_with_a_connection_that_is_not_there() -> None:
    ok, message = RyftIngestHook("nowhere").test_connection()
    assert not ok
    assert "nowhere" in message


def test_the_form_of_2_11_is_derived_from_the_metadata() -> None:
    """The hook's methods, which 2.11 reads, and the metadata, which 3.x reads, are one source."""
    connection_type = get_provider_info()["connection-types"][0]
    behaviour = RyftIngestHook.get_ui_field_behaviour()
    assert behaviour == {
        "hidden_fields": connection_type["ui-field-behaviour"]["hidden-fields"],
        "relabeling": connection_type["ui-field-behaviour"]["relabeling"],
        "placeholders": connection_type["ui-field-behaviour"]["placeholders"],
    }
    pytest.importorskip("flask_appbuilder", reason="only Airflow 2.11 has the libraries of its form")
    widgets = RyftIngestHook.get_connection_form_widgets()
    assert widgets.keys() == connection_type["conn-fields"].keys()
    for name, field in connection_type["conn-fields"].items():
        is_flag = "boolean" in field["schema"]["type"]
        assert (widgets[name].field_class.__name__ == "BooleanField") is is_flag
        assert str(widgets[name].args[0]) == field["label"]
        assert widgets[name].kwargs["description"] == field["description"]
