"""Argon2id: makes guessing a passphrase, or grinding for a similar fingerprint, expensive."""

from dataclasses import dataclass

from nacl.pwhash import argon2id

SALT_BYTES = 16


@dataclass(frozen=True, slots=True)
class Cost:
    """What one guess costs: passes over the memory, and its size in KiB."""

    passes: int
    memory_kib: int


MODERATE = Cost(passes=3, memory_kib=256 * 1024)
"""libsodium's moderate: 256 MiB, about half a second."""

LEAST = Cost(passes=1, memory_kib=8)
"""The cheapest that libsodium accepts: for tests."""


def stretch(secret: bytes, salt: bytes, *, size: int, cost: Cost = MODERATE) -> bytes:
    """Return `size` bytes (at least 16) of `secret` and a 16-byte salt, at the price `cost`."""
    return argon2id.kdf(size, secret, salt, opslimit=cost.passes, memlimit=cost.memory_kib * 1024)
