"""A room that other machines reach: by TLS only, under the name that was given, with a certificate that is there."""

from __future__ import annotations

import http.client
import re
import ssl
import stat
from pathlib import Path

import pytest

from gengrade.engine import UsageError
from gengrade.room import Listening, Plan, listening_to
from gengrade.room.certificate import CertificateError, given, made
from tests.support.room import graded_class, serving


def test_a_certificate_is_made_whose_key_is_the_operators(tmp_path: Path) -> None:
    certificate = made(tmp_path / "room", ["127.0.0.1"])
    assert stat.S_IMODE(certificate.key.stat().st_mode) == 0o600
    again = given(certificate.chain, certificate.key)
    assert (again.fingerprint, again.made) == (certificate.fingerprint, False)


@pytest.mark.parametrize(
    ("chain", "key", "says"),
    [
        ("nowhere.pem", "key.pem", "nowhere.pem: it cannot be read"),
        ("certificate.pem", "nowhere.pem", "nowhere.pem: it cannot be read"),
        ("text.pem", "key.pem", "text.pem: it is no certificate"),
        ("certificate.pem", "other.pem", "certificate.pem: it is no certificate in PEM format for the key"),
    ],
)
def test_a_wrong_certificate_is_refused_in_words(tmp_path: Path, chain: str, key: str, says: str) -> None:
    own, other = made(tmp_path, ["localhost"]), made(tmp_path / "other", ["localhost"])
    own.key.rename(tmp_path / "key.pem")
    other.key.rename(tmp_path / "other.pem")
    (tmp_path / "text.pem").write_text("no")
    with pytest.raises(CertificateError, match=re.escape(says)):
        given(tmp_path / chain, tmp_path / key)


def test_options_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="together"):
        listening_to(tmp_path, 0, "127.0.0.1", tmp_path / "a.pem", None)
    with pytest.raises(UsageError, match="is for --host"):
        listening_to(tmp_path, 0, "", tmp_path / "a.pem", tmp_path / "b.pem")
    certificate = made(tmp_path, ["192.0.2.1"])
    with pytest.raises(UsageError, match=r"192\.0\.2\.1, port \d+: .*give another --port or --host"):
        Listening(0, "192.0.2.1", certificate).socket(tmp_path)


def test_others_come_by_tls_and_by_the_name_that_was_given(tmp_path: Path) -> None:
    certificate = made(tmp_path / "room", ["127.0.0.1"])
    with serving(graded_class(tmp_path / "results"), Plan(("Ann",)), certificate=certificate) as server:
        trusting = ssl.create_default_context(cafile=str(certificate.chain))
        connection = http.client.HTTPSConnection("127.0.0.1", server.port, context=trusting, timeout=60)
        connection.request("GET", server.address_for("Bob"))
        answer = connection.getresponse()
        answer.read()
        cookie = str(answer.headers["set-cookie"])
        assert answer.status == 303
        assert {"secure", "httponly", "samesite=strict"} <= set(cookie.lower().split("; "))
        headers = {"Cookie": cookie.partition(";")[0]}
        names = ((f"127.0.0.1:{server.port}", 200), (f"localhost:{server.port}", 421), ("evil.example", 421))
        for host, status in names:
            connection.request("GET", "/", headers={**headers, "Host": host})
            answer = connection.getresponse()
            assert ("Marking, as Bob" in answer.read().decode()) is (status == 200)
            assert answer.status == status
        for scheme, status in (("http", 403), ("https", 422)):
            connection.request("POST", "/mark", "", {**headers, "Origin": f"{scheme}://127.0.0.1:{server.port}"})
            answer = connection.getresponse()
            answer.read()
            assert answer.status == status
        plain = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        plain.request("GET", "/")
        with pytest.raises((http.client.HTTPException, OSError)):
            plain.getresponse()
        plain.close()
