"""TLS by settings: what is spoken, a renewed certificate without a restart, and sentences about bad files."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from api.tls import BadCertificateError, Certificate
from tests.api.certificates import trusting_anyone, write
from tests.api.serving import Server, running_api
from tests.api.wire import connect, get, tell


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    return write(tmp_path, name="first")


@pytest.fixture
def secure(tmp_path: Path, certificate: Certificate) -> Iterator[Server]:
    with running_api(tmp_path, certificate=certificate) as running:
        yield running


def shown_to(writer: asyncio.StreamWriter) -> str:
    """Return the name in the certificate that a connection was shown."""
    der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    name = x509.load_der_x509_certificate(der).subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
    return str(name)


@asynccontextmanager
async def connected(
    server: Server, **versions: Any
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await connect(server.url, tls=trusting_anyone(**versions))
    try:
        yield reader, writer
    finally:
        writer.transport.abort()
        with suppress(OSError):
            await writer.wait_closed()


async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    writer.write(get())
    return (await reader.readuntil(b"}")).startswith(b"HTTP/1.1 200")


async def test_answers_over_tls_ask_for_tls_from_then_on(secure: Server) -> None:
    heard = await tell(secure.url, get("/livez", b"Connection: close"), tls=trusting_anyone())
    refused = await tell(secure.url, get("/livez", b"Host: another"), tls=trusting_anyone())

    assert (heard.status, refused.status) == (200, 400)
    assert heard.headers["strict-transport-security"].startswith("max-age=63072000")
    assert refused.headers["strict-transport-security"].startswith("max-age=63072000")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_tls_is_spoken_from_1_2_on_with_ciphers_that_keep_their_secrets(
    secure: Server, version: ssl.TLSVersion
) -> None:
    async with connected(secure, minimum_version=version, maximum_version=version) as (_, writer):
        cipher, spoken, _ = writer.get_extra_info("cipher")

    assert spoken == {"TLSv1_2": "TLSv1.2", "TLSv1_3": "TLSv1.3"}[version.name]
    assert cipher.startswith(("ECDHE-", "TLS_"))
    assert "GCM" in cipher or "POLY1305" in cipher


def test_nothing_older_than_tls_1_2_is_spoken(certificate: Certificate) -> None:
    assert certificate.context().minimum_version is ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError):
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).set_ciphers("NOTHING")


@pytest.mark.parametrize("weak", ["AES128-SHA", "ECDHE-ECDSA-AES128-SHA256", "AES256-GCM-SHA384"])
async def test_weak_ciphers_are_refused(secure: Server, weak: str) -> None:
    context = trusting_anyone(maximum_version=ssl.TLSVersion.TLSv1_2)
    context.set_ciphers(weak)

    there = urlsplit(secure.url)
    with (
        closing(socket.create_connection((there.hostname or "", there.port or 0), timeout=5)) as plain,
        pytest.raises((ssl.SSLError, ConnectionError)),
    ):
        await asyncio.to_thread(context.wrap_socket, plain)


async def test_a_renewed_certificate_is_used_by_the_next_connection_and_drops_none(
    secure: Server, tmp_path: Path
) -> None:
    async with connected(secure) as before:
        assert await answers(*before)
        write(tmp_path, name="second")

        async with connected(secure) as after:
            assert (shown_to(before[1]), shown_to(after[1])) == ("first", "second")
            assert await answers(*before)
            assert await answers(*after)


async def test_a_renewal_that_is_half_written_is_left_alone_until_it_is_whole(
    secure: Server, certificate: Certificate, tmp_path: Path
) -> None:
    write(tmp_path, name="half", parts="cert")
    async with connected(secure) as (_, meanwhile):
        certificate.cert_file.unlink()
        async with connected(secure) as (reader, gone):
            write(tmp_path, name="second")
            async with connected(secure) as (_, after):
                assert [shown_to(each) for each in (meanwhile, gone, after)] == ["first", "first", "second"]
            assert await answers(reader, gone)


async def test_a_client_that_stalls_in_its_handshake_is_cut_off_within_15_s(secure: Server) -> None:
    silent, half, plain = await asyncio.gather(
        tell(secure.url), tell(secure.url, b"\x16\x03\x01\x02\x00\x01"), tell(secure.url, get())
    )

    assert 8 < silent.took_s < 15
    assert 8 < half.took_s < 15
    assert plain.took_s < 5
    assert b"HTTP" not in plain.raw


def test_bad_files_are_told_in_a_sentence_that_names_file_and_setting(tmp_path: Path) -> None:
    for each in ("missing", "mixed", "locked", "nonsense"):
        (tmp_path / each).mkdir()
    write(tmp_path / "mixed", name="one")
    write(tmp_path / "mixed", name="other", parts="key")
    write(tmp_path / "nonsense", name="one").cert_file.write_text("nonsense")
    bad = {
        "missing": Certificate(cert_file=tmp_path / "missing" / "cert.pem", key_file=tmp_path / "missing" / "key.pem"),
        "mixed": Certificate(cert_file=tmp_path / "mixed" / "cert.pem", key_file=tmp_path / "mixed" / "key.pem"),
        "locked": write(tmp_path / "locked", name="one", password=b"secret"),
        "nonsense": Certificate(cert_file=tmp_path / "nonsense" / "cert.pem", key_file=tmp_path / "nonsense/key.pem"),
    }

    for name, certificate in bad.items():
        with pytest.raises(BadCertificateError, match="COUNTERSIGN_TLS_KEY_FILE") as told:
            certificate.context()
        assert f"{name}/cert.pem" in str(told.value)
