"""Was this very request signed, by whom, and is it still valid?  V4 signed URLs, verified as Cloud Storage does.

The canonical request is rebuilt from the request as it came; nothing is taken from it on trust.  Stricter than
Cloud Storage may be in one point: every ``x-goog-`` header must be among the signed ones.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from urllib.parse import quote, unquote, unquote_to_bytes

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from starlette.datastructures import Headers

from emulators.cloud_storage.failures import Reason, StorageError

ALGORITHM = "GOOG4-RSA-SHA256"
UNSIGNED_PAYLOAD = "UNSIGNED-PAYLOAD"
_CREDENTIAL = re.compile(
    r"(?P<email>[A-Za-z0-9._-]+@[A-Za-z0-9.-]+)/(?P<scope>\d{8}/[a-z0-9-]+/storage/goog4_request)"
)
_LONGEST = timedelta(days=7)
_SKEW = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """The claim of a signed URL: who signed what."""

    email: str
    string_to_sign: bytes
    signature: bytes
    starts: datetime
    expires: datetime

    def check_time(self, now: datetime) -> None:
        """Raise when the URL has expired or is of the future."""
        if now > self.expires:
            message = f"The provided token has expired: the request signature expired at {self.expires}."
            raise StorageError(Reason.EXPIRED, message)
        if self.starts > now + _SKEW:
            raise StorageError(Reason.DENIED, f"The URL is not valid before {self.starts}.")

    def check_signature(self, certificates: Iterable[str]) -> None:
        """Raise unless one of the account's certificates (PEM) verifies the signature."""
        if not any(self._verified_by(certificate) for certificate in certificates):
            message = (
                "Access denied. The request signature we calculated does not match the signature you provided. "
                f"The string to sign was: {self.string_to_sign.decode()!r}"
            )
            raise StorageError(Reason.SIGNATURE, message)

    def _verified_by(self, certificate: str) -> bool:
        key = x509.load_pem_x509_certificate(certificate.encode()).public_key()
        assert isinstance(key, rsa.RSAPublicKey)
        try:
            key.verify(self.signature, self.string_to_sign, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return False
        return True


def parse_query(query: bytes) -> list[tuple[str, str]]:
    """The parameters of a raw query; a plus is a plus, as in the canonical form."""
    pairs = [item.partition("=") for item in query.decode("latin-1").split("&") if item]
    return [(unquote(name), unquote(value)) for name, _, value in pairs]


def parse_signed_request(method: str, raw_path: bytes, query: bytes, headers: Headers) -> SignedRequest:
    """What the URL claims; raises when it is malformed or leaves something unsigned."""
    pairs = parse_query(query)
    claims = dict(pairs)
    if len(claims) < len(pairs):
        raise StorageError(Reason.MALFORMED_SIGNATURE, "A query parameter is given twice.")
    if claims.get("X-Goog-Algorithm") != ALGORITHM:
        raise StorageError(Reason.MALFORMED_SIGNATURE, f"The URL needs X-Goog-Algorithm={ALGORITHM}.")
    email, scope = parse_credential(claims.get("X-Goog-Credential", ""))
    starts, lifetime = _validity(claims, scope.partition("/")[0])
    canonical = _canonical_request(method, raw_path, pairs, claims.get("X-Goog-SignedHeaders", ""), headers)
    digest = sha256(canonical.encode()).hexdigest()
    string_to_sign = "\n".join((ALGORITHM, claims["X-Goog-Date"], scope, digest))
    return SignedRequest(email, string_to_sign.encode(), _signature(claims), starts, starts + lifetime)


def parse_credential(text: str) -> tuple[str, str]:
    """The signer's e-mail and the scope, which begins with its date; raises when malformed."""
    credential = _CREDENTIAL.fullmatch(text)
    if credential is None:
        raise StorageError(Reason.MALFORMED_SIGNATURE, f"Invalid X-Goog-Credential: {text!r}.")
    return credential["email"], credential["scope"]


def parse_date(text: str) -> datetime:
    """The moment that an X-Goog-Date names; raises when malformed."""
    try:
        return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise StorageError(Reason.MALFORMED_SIGNATURE, f"Invalid X-Goog-Date: {text!r}.") from error


def _validity(claims: dict[str, str], credential_date: str) -> tuple[datetime, timedelta]:
    starts = parse_date(claims.get("X-Goog-Date", ""))
    try:
        lifetime = timedelta(seconds=int(claims["X-Goog-Expires"]))
    except (KeyError, ValueError, OverflowError) as error:
        message = "The URL needs a valid X-Goog-Expires."
        raise StorageError(Reason.MALFORMED_SIGNATURE, message) from error
    if not timedelta() < lifetime <= _LONGEST:
        raise StorageError(Reason.MALFORMED_SIGNATURE, "X-Goog-Expires must be from 1 s to 7 days.")
    if not claims["X-Goog-Date"].startswith(credential_date):
        raise StorageError(Reason.MALFORMED_SIGNATURE, "X-Goog-Credential and X-Goog-Date differ in date.")
    return starts, lifetime


def _signature(claims: dict[str, str]) -> bytes:
    try:
        return bytes.fromhex(claims.get("X-Goog-Signature", ""))
    except ValueError:
        return b""


def _canonical_request(
    method: str, raw_path: bytes, pairs: list[tuple[str, str]], signed_headers: str, headers: Headers
) -> str:
    names = signed_headers.split(";")
    if "host" not in names:
        raise StorageError(Reason.MALFORMED_SIGNATURE, "The header host must be signed.")
    unsigned = sorted({name for name in headers if name.startswith("x-goog-")} - set(names))
    if unsigned:
        message = f"These headers of the request are not signed: {', '.join(unsigned)}."
        raise StorageError(Reason.SIGNATURE, message)
    query = "&".join(
        sorted(f"{_encode(name)}={_encode(value)}" for name, value in pairs if name != "X-Goog-Signature")
    )
    canonical_headers = "".join(f"{name}:{_header(headers, name)}\n" for name in names)
    payload = headers.get("x-goog-content-sha256", UNSIGNED_PAYLOAD)
    path = quote(unquote_to_bytes(raw_path), safe="/~")
    return "\n".join((method, path, query, canonical_headers, signed_headers, payload))


def _header(headers: Headers, name: str) -> str:
    return ",".join(" ".join(value.split()) for value in headers.getlist(name))


def _encode(text: str) -> str:
    return quote(text, safe="~")
