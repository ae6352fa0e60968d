"""With which keys are tokens and blobs signed, and how are the public halves published?

Keys are kept on disk, so that a restart keeps every token valid.  They are never rotated.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from hashlib import sha1, sha256
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from jwt.algorithms import RSAAlgorithm

_EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
_FOREVER = timedelta(days=36500)


@dataclass(frozen=True)
class SigningKey:
    """An RSA key pair under a name."""

    name: str
    private: rsa.RSAPrivateKey

    @cached_property
    def id(self) -> str:
        """The key id: 40 hexadecimal digits, a digest of the public key."""
        spki = self.private.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return sha1(spki, usedforsecurity=False).hexdigest()

    @cached_property
    def jwk(self) -> dict[str, Any]:
        """The public key as an RFC 7517 key."""
        numbers = RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        return {"kty": "RSA", "n": numbers["n"], "e": numbers["e"]} | {
            "alg": "RS256",
            "use": "sig",
            "kid": self.id,
        }

    @cached_property
    def certificate(self) -> str:
        """The public key in a self-signed X.509 certificate, PEM."""
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, self.name[:64])])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.private.public_key())
            .serial_number(int(self.id, 16) >> 1)
            .not_valid_before(_EPOCH)
            .not_valid_after(_EPOCH + _FOREVER)
            .sign(self.private, hashes.SHA256())
        )
        return certificate.public_bytes(serialization.Encoding.PEM).decode()

    def sign(self, payload: bytes) -> bytes:
        """RSASSA-PKCS1-v1_5 with SHA-256, as signBlob does."""
        return self.private.sign(payload, padding.PKCS1v15(), hashes.SHA256())


@dataclass(frozen=True, slots=True)
class KeyRing:
    """All keys of the emulator.

    Access tokens have a key of their own, outside the published set: google-auth checks neither issuer
    nor, by default, audience, and must still never take one for an ID token.
    """

    id_tokens: SigningKey
    access_tokens: SigningKey
    accounts: dict[str, SigningKey]


def load_keys(directory: Path, emails: Iterable[str]) -> KeyRing:
    """The key ring kept in the directory; missing keys are made."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return KeyRing(
        id_tokens=_load(directory, "id-tokens"),
        access_tokens=_load(directory, "access-tokens"),
        accounts={email: _load(directory, email) for email in emails},
    )


def _load(directory: Path, name: str) -> SigningKey:
    path = directory / f"{sha256(name.encode()).hexdigest()[:32]}.pem"
    if not path.exists():
        _create(path)
    private = serialization.load_pem_private_key(path.read_bytes(), password=None)
    assert isinstance(private, rsa.RSAPrivateKey)
    return SigningKey(name, private)


def _create(path: Path) -> None:
    """Write a new key whole or not at all, readable by its owner alone."""
    pem = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    partial = path.with_suffix(f".{os.getpid()}")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)
