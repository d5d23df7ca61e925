"""The connection to Temporal: one function for every process, so that none goes without TLS or encryption."""

import logging
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client
from temporalio.converter import DataConverter
from temporalio.runtime import LogForwardingConfig, LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter
from temporalio.service import RPCError, RPCStatusCode, TLSConfig

from runtime.codec import encrypting
from runtime.temporal_settings import PayloadEncryption, TemporalSettings
from security.keyring import KeyRing, Versions
from security.payloads import PayloadCipher, PayloadKeys


async def connect(settings: TemporalSettings, *, keys: KeyRing | None, is_lazy: bool = True) -> Client:
    """Return a client, which connects on its first call unless told to do so now.

    Without keys it is for what has no payloads: to ask whether Temporal is there, who polls, to register attributes.
    """
    return await Client.connect(
        settings.temporal_address,
        namespace=settings.temporal_namespace,
        lazy=is_lazy,
        tls=_tls(settings),
        api_key=settings.temporal_key(),
        data_converter=converter(settings, keys),
        runtime=_runtime(),
    )


def converter(settings: TemporalSettings, keys: KeyRing | None) -> DataConverter:
    """Return what turns messages into payloads and back, as the settings say."""
    cipher = None if keys is None else payload_cipher(settings, keys)
    if cipher is None:
        return DataConverter.default
    return encrypting(cipher, is_strict=settings.payloads is PayloadEncryption.STRICT)


def payload_cipher(settings: TemporalSettings, keys: KeyRing) -> PayloadCipher | None:
    """Return what seals this instance's payloads; None where they stay plain."""
    if settings.payloads is PayloadEncryption.OFF:
        return None
    versions = keys.payloads

    async def reload() -> PayloadKeys:
        await versions.reload()
        return _payload_keys(versions)

    async def current() -> PayloadKeys:
        await versions.newest()
        return _payload_keys(versions)

    namespace = settings.temporal_namespace
    return PayloadCipher(_payload_keys(versions), namespace=namespace, reload=reload, current=current)


def _payload_keys(versions: Versions) -> PayloadKeys:
    by_kid = versions.known
    newest = max(by_kid.values(), key=lambda key: key.version)
    return PayloadKeys(newest=newest.kid, by_kid={kid: key.secret for kid, key in by_kid.items()})


@cache
def _runtime() -> Runtime:
    """Return the SDK's core, whose warnings go through Python's logging and so are scrubbed like everything else."""
    core_log = LogForwardingConfig(logger=logging.getLogger("temporalio.core"))
    only = TelemetryFilter(core_level="WARN", other_level="ERROR")
    return Runtime(telemetry=TelemetryConfig(logging=LoggingConfig(filter=only, forwarding=core_log)))


def _tls(settings: TemporalSettings) -> TLSConfig | bool:
    if not settings.temporal_tls:
        return False
    return TLSConfig(
        server_root_ca_cert=_content(settings.temporal_tls_ca_file),
        domain=settings.temporal_tls_server_name,
        client_cert=_content(settings.temporal_tls_cert_file),
        client_private_key=_content(settings.temporal_tls_key_file),
    )


def _content(file: Path | None) -> bytes | None:
    return None if file is None else file.read_bytes()


async def ensure_search_attributes(client: Client, names: Iterable[str]) -> None:
    """Register keyword search attributes that the namespace does not have yet."""
    for name in names:
        request = AddSearchAttributesRequest(
            namespace=client.namespace, search_attributes={name: IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD}
        )
        try:
            await client.operator_service.add_search_attributes(request)
        except RPCError as error:
            if error.status is not RPCStatusCode.ALREADY_EXISTS:
                raise
