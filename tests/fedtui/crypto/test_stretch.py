"""Argon2id with a cost."""

from nacl.pwhash import argon2id

from fedtui.crypto.stretch import LEAST, Cost, stretch


def test_it_is_argon2id_with_the_given_cost():
    wanted = argon2id.kdf(32, b"secret", bytes(16), opslimit=2, memlimit=64 * 1024)
    assert stretch(b"secret", bytes(16), size=32, cost=Cost(passes=2, memory_kib=64)) == wanted


def test_secret_salt_size_and_cost_all_count():
    base = stretch(b"secret", bytes(16), size=32, cost=LEAST)
    assert len(base) == 32
    assert base != stretch(b"secreT", bytes(16), size=32, cost=LEAST)
    assert base != stretch(b"secret", b"\x01" * 16, size=32, cost=LEAST)
    assert base != stretch(b"secret", bytes(16), size=32, cost=Cost(passes=2, memory_kib=8))
