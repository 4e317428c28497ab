"""The ``[ryft]`` section: what is read, and what an option that cannot be read does."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping

import pytest

from airflow_provider_ryft import settings
from airflow_provider_ryft.get_provider_info import get_provider_info
from airflow_provider_ryft.settings import Settings, parse

OPTIONS = get_provider_info()["config"]["ryft"]["options"]
TYPES = {"bool": "boolean", "int": "integer", "float": "float", "str": "string"}

GOOD = {
    "disabled": ("yes", True),
    "conn_id": (" ryft_prod ", "ryft_prod"),
    "tags": ("env:prod, team:data,", ("env:prod", "team:data")),
    "contexts": ('{"pg": {"catalog": "lake", "user": null}}', {"pg": {"catalog": "lake", "user": None}}),
    "mask_literals": ("True", True),
    "max_query_length": ("1000", 1000),
    "exclude_dags": ("test_*, sandbox", ("test_*", "sandbox")),
    "exclude_operators": ("my_package.*", ("my_package.*",)),
    "exclude_connections": ("hr_*", ("hr_*",)),
    "exclude_connection_types": ("sqlite,duckdb", ("sqlite", "duckdb")),
    "selective_enable": ("1", True),
    "outbox_path": ("/var/lib/ryft", "/var/lib/ryft"),
    "outbox_max_bytes": ("1000000", 1_000_000),
    "outbox_max_age": ("3600.5", 3600.5),
    "delivery_timeout": ("2.5", 2.5),
    "delivery": ("OUTBOX", "outbox"),
}

BAD = {
    "disabled": ["maybe"],
    "tags": ['["a", 1]', '["a"', "[[]]"],
    "exclude_dags": ['["hr_*"', "['hr_*', 'payroll']", "[1]", "[hr_*]"],
    "exclude_operators": ['["a", null]'],
    "exclude_connections": ['["hr_*",]'],
    "exclude_connection_types": ['["sqlite", ["duckdb"]]'],
    "contexts": ["{", "[]", '{"pg": "lake"}', '{"pg": {"catlog": "lake"}}', '{"pg": {"catalog": 1}}'],
    "mask_literals": ["yse"],
    "max_query_length": ["10", "many", "1e6", "-1"],
    "selective_enable": ["tru"],
    "outbox_path": ["s3://", "://bucket", "not a scheme://bucket"],
    "outbox_max_bytes": ["0", "1 MiB"],
    "outbox_max_age": ["0", "nan", "-1", "a week", "inf"],
    "delivery_timeout": ["0", "16", "nan", "soon"],
    "delivery": ["carrier pigeon"],
}


def parsed(given: Mapping[str, str]) -> Settings:
    return parse(given.get)


def test_metadata_and_settings_have_the_same_options() -> None:
    """Each option that Airflow shows is read, and each that is read is shown."""
    assert list(OPTIONS) == list(settings.OPTIONS)


@pytest.mark.parametrize("name", OPTIONS)
def test_metadata_and_settings_have_the_same_default(name: str) -> None:
    """The default that Airflow shows is the one that holds without the provider's metadata."""
    assert getattr(parsed({name: OPTIONS[name]["default"]}), name) == getattr(Settings(), name)


@pytest.mark.parametrize("name", OPTIONS)
def test_every_option_is_described_in_full(name: str) -> None:
    """Each option has all that Airflow shows of it, and its type is the one that is read."""
    option = OPTIONS[name]
    assert set(option) == {"description", "version_added", "type", "example", "default", "sensitive"}
    assert option["version_added"] == "0.1.0"
    assert option["sensitive"] is False
    assert option["description"].endswith(".")
    assert option["type"] == TYPES.get(type(getattr(Settings(), name)).__name__, "string")


@pytest.mark.parametrize("name", [name for name in OPTIONS if OPTIONS[name]["example"]])
def test_every_example_can_be_used(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """What the metadata gives as an example is read without a warning, and is not the default."""
    example = parsed({name: OPTIONS[name]["example"]})
    assert getattr(example, name) != getattr(Settings(), name)
    assert not caplog.records


@pytest.mark.parametrize("name", GOOD)
def test_a_good_value_is_read(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """Every option can be set; no other changes with it."""
    text, value = GOOD[name]
    read = parsed({name: text})
    assert getattr(read, name) == value
    assert all(getattr(read, other) == getattr(Settings(), other) for other in settings.OPTIONS if other != name)
    assert not caplog.records


def test_every_option_has_a_good_example_here() -> None:
    """A new option is tested, too."""
    assert list(GOOD) == list(OPTIONS)


@pytest.mark.parametrize(("name", "text"), [(name, text) for name in BAD for text in BAD[name]])
def test_a_bad_value_is_explained_in_one_sentence(name: str, text: str, caplog: pytest.LogCaptureFixture) -> None:
    """A bad value breaks nothing: it is logged with its option, and the option has its default or is on."""
    read = parsed({name: text})
    value = getattr(read, name)
    assert value == getattr(Settings(), name) or value in (True, ("*",))
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert f"Option {name} of section [ryft]" in record.getMessage()
    assert "it must be" in record.getMessage()


@pytest.mark.parametrize("name", ["disabled", "mask_literals", "selective_enable"])
def test_a_misspelt_flag_that_keeps_something_private_is_on(name: str) -> None:
    """A misspelt "true" does not mean that queries may be sent."""
    assert getattr(parsed({name: "ture"}), name) is True


@pytest.mark.parametrize("name", [name for name in OPTIONS if name.startswith("exclude_")])
def test_what_is_excluded_and_cannot_be_read_is_everything(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """A per cent sign in the wrong place does not mean that everything may be sent."""

    def get(asked: str) -> str | None:
        if asked == name:
            raise ValueError("'%' must be followed by '%' or '(', found: '%*'")
        return None

    assert getattr(parse(get), name) == ("*",)
    assert f"Option {name} of section [ryft]" in caplog.text
    assert "It is taken as *, to be on the safe side." in caplog.text


@pytest.mark.parametrize("name", ["tags", *(name for name in OPTIONS if name.startswith("exclude_"))])
@pytest.mark.parametrize("text", ["a,b", "a\nb", "\n  a,\n  b\n", '["a", "b"]', '[\n"a",\n"b"]', "a\r\n,,b"])
def test_a_list_may_be_written_in_any_usual_way(name: str, text: str, caplog: pytest.LogCaptureFixture) -> None:
    """Between commas, one a line, or in JSON."""
    assert getattr(parsed({name: text}), name) == ("a", "b")
    assert not caplog.records


@pytest.mark.parametrize("pattern", ["[ab]*", "[!a]_daily", "etl_[0-9]x, [xy]z"])
def test_a_pattern_may_begin_with_a_bracket(pattern: str, caplog: pytest.LogCaptureFixture) -> None:
    """It is no JSON for that."""
    assert parsed({"exclude_dags": pattern}).exclude_dags == tuple(pattern.split(", "))
    assert not caplog.records


def test_a_misspelt_key_of_contexts_is_explained_with_the_right_one(caplog: pytest.LogCaptureFixture) -> None:
    """The sentence names the connection, the key, and the key that was meant."""
    parsed({"contexts": '{"pg": {"Catalogue": "lake"}}'})
    assert "'pg' has an unknown 'Catalogue' (did you mean catalog?)" in caplog.text


def test_a_bad_value_does_not_take_the_others_with_it() -> None:
    """One misspelt option leaves the rest of the section as it is."""
    assert parsed({"delivery_timeout": "soon", "conn_id": "ryft_prod"}) == Settings(conn_id="ryft_prod")


def test_a_huge_bad_value_is_shortened_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    """A value that was pasted by mistake does not fill the log."""
    parsed({"max_query_length": "x" * 100_000})
    assert len(caplog.text) < 1_000


def test_an_unreadable_configuration_does_not_break_airflow(caplog: pytest.LogCaptureFixture) -> None:
    """Airflow's own error about an option (such as a bad interpolation) is as good as a bad value."""

    def get(name: str) -> str | None:
        if name == "tags":
            raise ValueError("'%' must be followed by '%' or '('")
        return None

    assert parse(get) == Settings()
    assert "Option tags of section [ryft]" in caplog.text


def test_nothing_given_is_the_defaults() -> None:
    """Neither a missing section nor empty options change anything."""
    assert parsed({}) == parsed(dict.fromkeys(OPTIONS, "  ")) == Settings()


def test_options_come_from_airflows_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    """Options are read where Airflow reads its own, the environment included."""
    monkeypatch.setenv("AIRFLOW__RYFT__CONN_ID", "ryft_prod")
    monkeypatch.setenv("AIRFLOW__RYFT__MASK_LITERALS", "True")
    assert settings.read() == Settings(conn_id="ryft_prod", mask_literals=True)


def test_settings_cannot_be_changed() -> None:
    """One value is shared by all; also what it holds is read-only."""
    read = parsed({"contexts": GOOD["contexts"][0]})
    with pytest.raises(TypeError):
        read.contexts["pg"]["catalog"] = "other"  # type: ignore[index]
    with pytest.raises(AttributeError):
        read.conn_id = "other"  # type: ignore[misc]


def test_the_outbox_is_in_airflows_home_unless_it_is_given() -> None:
    """Without a folder of its own the outbox is where Airflow keeps its own files."""
    assert Settings(outbox_path="/var/lib/ryft").outbox_folder() == "/var/lib/ryft"
    assert Settings(outbox_path="s3://bucket/ryft").outbox_folder() == Settings().outbox_folder()
    assert Settings().outbox_folder() == os.path.join(os.environ["AIRFLOW_HOME"], "ryft-outbox")


def test_the_outbox_may_be_in_an_object_store() -> None:
    """The name of a connection in it is Airflow's way to say how to get in."""
    assert parsed({"outbox_path": "s3://aws_default@bucket/ryft/"}).outbox_path == "s3://aws_default@bucket/ryft"
