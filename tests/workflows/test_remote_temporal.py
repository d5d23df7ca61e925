"""A Temporal reached by TLS: a proxy of the test terminates it in front of a real development server."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from sys import executable
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from temporalio.testing import WorkflowEnvironment

from domain.ids import new_id, verification_id
from domain.messages import StartVerification, VerificationEnded, VerificationResult
from domain.statuses import VerificationStatus
from runtime.settings import Settings
from runtime.temporal import connect
from services.workflow_gateway import VerificationWorkflows
from tests.building import KEYS
from tests.workflows.fakes import FakeActivities
from tests.workflows.running import an_attempt, until, workers
from workflows.attributes import ALL
from workflows.verification import VerificationWorkflow

SERVER = Path(executable).with_name("temporal")
Key = ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A certificate and its key, as files."""

    certificate: x509.Certificate = field(repr=False)
    key: Key = field(repr=False)
    cert_file: Path
    key_file: Path


def signed(folder: Path, name: str, *, by: Signed | None = None) -> Signed:
    """Return a certificate of a name: of an authority of its own, or signed by one."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    alternatives = [x509.DNSName(name), x509.IPAddress(ip_address("127.0.0.1"))]
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if by is None else by.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=by is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    )
    certificate = builder.sign(key if by is None else by.key, hashes.SHA256())
    made = Signed(certificate=certificate, key=key, cert_file=folder / f"{name}.pem", key_file=folder / f"{name}.key")
    made.cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    made.key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return made


@dataclass(slots=True, kw_only=True)
class Proxy:
    """What listens with TLS: where, who may come, and what was said in clear behind it."""

    port: int
    authority: Signed
    client: Signed
    stranger: Signed
    passed_on: bytearray = field(default_factory=bytearray)

    def settings(self, **changes: Any) -> Settings:
        """Return the settings of a process that may come; None takes one away."""
        values = {
            "temporal_address": f"127.0.0.1:{self.port}",
            "temporal_tls": True,
            "temporal_tls_ca_file": self.authority.cert_file,
            "temporal_tls_cert_file": self.client.cert_file,
            "temporal_tls_key_file": self.client.key_file,
            "temporal_tls_server_name": "temporal.test",
            **changes,
        }
        return Settings.model_validate({name: value for name, value in values.items() if value is not None})


@pytest.fixture
async def proxy(tmp_path: Path) -> AsyncIterator[Proxy]:
    authority = signed(tmp_path, "authority")
    server = signed(tmp_path, "temporal.test", by=authority)
    made = Proxy(
        port=0,
        authority=authority,
        client=signed(tmp_path, "countersign", by=authority),
        stranger=signed(tmp_path, "stranger", by=signed(tmp_path, "another-authority")),
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(authority.cert_file))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(server.cert_file, server.key_file)
    context.set_alpn_protocols(["h2"])
    async with (
        await WorkflowEnvironment.start_local(dev_server_existing_path=str(SERVER), search_attributes=ALL) as behind,
        listening(made, context, target=behind.client.service_client.config.target_host),
    ):
        yield made


@asynccontextmanager
async def listening(proxy: Proxy, context: ssl.SSLContext, *, target: str) -> AsyncIterator[None]:
    """Pass on what comes by TLS, and keep what was asked."""
    host, _, port = target.rpartition(":")
    under_way: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        under_way.add(task)
        task.add_done_callback(under_way.discard)
        inner_reader, inner_writer = await asyncio.open_connection(host, int(port))
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(pumped(reader, inner_writer, proxy.passed_on))
                group.create_task(pumped(inner_reader, writer, bytearray()))
        finally:
            inner_writer.close()
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield
    finally:
        server.close()
        for each in under_way:
            each.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


async def pumped(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seen: bytearray) -> None:
    """Pass bytes on until there are no more."""
    try:
        while chunk := await reader.read(65_536):
            seen += chunk
            writer.write(chunk)
            await writer.drain()
    except (ConnectionError, ssl.SSLError):
        return
    finally:
        writer.close()


async def test_a_verification_runs_through_mutual_tls(proxy: Proxy) -> None:
    client = await connect(proxy.settings(), keys=KEYS, is_lazy=False)
    fakes = FakeActivities()
    start = StartVerification(verification_id=new_id(), country="GB", lifetime_s=300, first=an_attempt())

    async with AsyncExitStack() as stack:
        for each in workers(client, fakes, regions=("eu",)):
            await stack.enter_async_context(each)
        await VerificationWorkflows(client).start(start, account_id=new_id())
        await until(lambda: fakes.sent)
        handle = client.get_workflow_handle(
            f"verification/{verification_id(start.verification_id)}", result_type=VerificationResult
        )
        await handle.signal(VerificationWorkflow.ended, VerificationEnded(status=VerificationStatus.APPROVED))
        result = await handle.result()

    assert result.status is VerificationStatus.APPROVED
    assert proxy.passed_on


@pytest.mark.parametrize(
    "changes",
    [
        {"temporal_tls_cert_file": None, "temporal_tls_key_file": None},
        {"temporal_tls_ca_file": None},
        {"temporal_tls_server_name": "somebody.else"},
    ],
    ids=["no certificate of ours", "an authority that is not known", "another server's name"],
)
async def test_without_what_proves_either_side_nothing_connects(proxy: Proxy, changes: dict[str, Any]) -> None:
    with pytest.raises(RuntimeError):
        await connect(proxy.settings(**changes), keys=KEYS, is_lazy=False)

    assert not proxy.passed_on


async def test_a_certificate_of_another_authority_does_not_connect(proxy: Proxy) -> None:
    changes = {"temporal_tls_cert_file": proxy.stranger.cert_file, "temporal_tls_key_file": proxy.stranger.key_file}

    with pytest.raises(RuntimeError):
        await connect(proxy.settings(**changes), keys=KEYS, is_lazy=False)

    assert not proxy.passed_on


async def test_plain_text_to_a_server_with_tls_does_not_connect(proxy: Proxy) -> None:
    address = f"127.0.0.1:{proxy.port}"

    with pytest.raises(RuntimeError):
        await connect(Settings.model_validate({"temporal_address": address}), keys=KEYS, is_lazy=False)


async def test_an_api_key_arrives_with_each_call(proxy: Proxy, tmp_path: Path) -> None:
    file = tmp_path / "api.key"
    file.write_text("&" * 20, encoding="ascii")

    client = await connect(proxy.settings(temporal_api_key_file=file), keys=KEYS, is_lazy=False)
    await client.service_client.check_health()

    # HTTP/2 compresses its headers (RFC 7541): an ampersand is the byte F8, and what is before it fills whole bytes.
    assert b"\xf8" * 20 in proxy.passed_on


async def test_without_an_api_key_none_is_made_up(proxy: Proxy) -> None:
    await connect(proxy.settings(), keys=KEYS, is_lazy=False)

    assert b"\xf8" * 20 not in proxy.passed_on
