"""Settings of the way to Temporal: combinations that would send something in clear do not start."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from cli.launch import ContradictionError, Launch
from cli.settings import LaunchSettings
from runtime.settings import Settings
from runtime.temporal import connect, converter
from runtime.temporal_settings import PayloadEncryption
from tests.building import KEYS


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"COUNTERSIGN_{name.upper()}", raising=False)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "file"
    made.write_text(" from the file\n", encoding="utf-8")
    return made


def made(**values: Any) -> Settings:
    return Settings.model_validate(values)


def launch(**own: Any) -> Launch:
    return Launch(
        settings=made(payload_encryption=own.pop("encryption", None), temporal_tls=own.pop("tls", False)),
        own=LaunchSettings.model_validate({"temporal_address": None, **own}),
        home=Path("var"),
        sandbox_port=1,
        sandbox_secret="s",
    )


def test_payloads_are_sealed_strictly_unless_something_else_is_set() -> None:
    codec = converter(made(), KEYS).payload_codec

    assert made().payloads is PayloadEncryption.STRICT
    assert codec is not None
    assert converter(made(payload_encryption="off"), KEYS).payload_codec is None


def test_the_embedded_server_of_a_laptop_gets_plain_payloads_unless_told_otherwise() -> None:
    assert launch().for_processes.payloads is PayloadEncryption.OFF
    assert launch(encryption="strict").for_processes.payloads is PayloadEncryption.STRICT
    assert launch(temporal_address="10.0.0.1:7233").for_processes.payloads is PayloadEncryption.STRICT


def test_tls_to_the_embedded_server_is_refused_because_it_has_none() -> None:
    with pytest.raises(ContradictionError, match="the embedded Temporal has no TLS"):
        launch(tls=True)

    assert launch(tls=True, temporal_address="temporal.example.com:7233").for_processes.temporal_tls


def test_the_embedded_ui_knows_where_payloads_are_decoded_where_there_are_any_to_decode() -> None:
    assert "--ui-codec-endpoint" not in launch().temporal().command
    sealed = launch(encryption="lenient")

    endpoint = sealed.temporal().command[sealed.temporal().command.index("--ui-codec-endpoint") + 1]

    assert endpoint == "http://127.0.0.1:8000/codec"
    assert sealed.api_server().environment["COUNTERSIGN_TEMPORAL_UI_ORIGIN"] == "http://127.0.0.1:8233"
    assert sealed.worker().environment["COUNTERSIGN_PAYLOAD_ENCRYPTION"] == "lenient"


@pytest.mark.parametrize("address", ["temporal:7233", "10.0.0.1:7233", "a.tmprl.cloud:7233", "[2001:db8::1]:7233"])
def test_plain_payloads_for_another_machine_are_refused(address: str) -> None:
    with pytest.raises(ValidationError, match="COUNTERSIGN_PAYLOAD_ENCRYPTION is off but"):
        made(payload_encryption="off", temporal_address=address)

    assert made(payload_encryption="lenient", temporal_address=address).payloads is PayloadEncryption.LENIENT


@pytest.mark.parametrize("address", ["127.0.0.1:7233", "localhost:7233", "[::1]:7233", "127.0.0.2:1"])
def test_plain_payloads_for_this_machine_are_taken(address: str) -> None:
    assert made(payload_encryption="off", temporal_address=address).payloads is PayloadEncryption.OFF


def test_an_api_key_without_tls_is_refused(file: Path) -> None:
    for given in ({"temporal_api_key": "a-key"}, {"temporal_api_key_file": file}):
        with pytest.raises(ValidationError, match="COUNTERSIGN_TEMPORAL_API_KEY would cross the network in clear"):
            made(**given)


def test_an_api_key_is_read_from_its_file_and_not_shown(file: Path) -> None:
    settings = made(temporal_tls=True, temporal_api_key_file=file)

    assert settings.temporal_key() == "from the file"
    assert made(temporal_tls=True, temporal_api_key="a-key").temporal_key() == "a-key"
    assert "a-key" not in repr(made(temporal_tls=True, temporal_api_key="a-key"))


def test_two_api_keys_are_refused(file: Path) -> None:
    with pytest.raises(ValidationError, match="not both"):
        made(temporal_tls=True, temporal_api_key="a-key", temporal_api_key_file=file)


@pytest.mark.parametrize("name", ["temporal_tls_cert_file", "temporal_tls_key_file"])
def test_half_a_client_certificate_is_refused(name: str, file: Path) -> None:
    with pytest.raises(ValidationError, match="belong together"):
        made(temporal_tls=True, **{name: file})


def test_what_belongs_to_tls_is_refused_without_it(file: Path) -> None:
    for given in ({"temporal_tls_ca_file": file}, {"temporal_tls_server_name": "temporal"}):
        with pytest.raises(ValidationError, match="but TLS is off"):
            made(**given)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="COUNTERSIGN_TEMPORAL_TLS_CA_FILE names a file that cannot be read"):
        made(temporal_tls=True, temporal_tls_ca_file=tmp_path / "gone")


@pytest.mark.parametrize("origin", ["*", "https://*", "ui.example.com", "https://ui.example.com/", "https://a@b", ""])
def test_an_origin_of_the_ui_that_is_none_is_refused(origin: str) -> None:
    with pytest.raises(ValidationError):
        made(temporal_ui_origin=origin)


async def test_a_client_is_there_before_temporal_is() -> None:
    client = await connect(made(temporal_address="127.0.0.1:1"), keys=KEYS)

    assert client.namespace == "default"
    assert client.data_converter.payload_codec is not None
