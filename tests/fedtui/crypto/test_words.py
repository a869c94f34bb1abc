"""Six words for an id."""

import hashlib

import pytest
from nacl.pwhash import argon2id

from fedtui.crypto.stretch import LEAST, MODERATE
from fedtui.crypto.words import word_list, words


def test_the_list_is_bip39_english():
    listed = word_list()
    assert len(set(listed)) == 2048
    assert list(listed) == sorted(listed)
    assert listed[0] == "abandon"
    assert listed[-1] == "zoo"
    text = "".join(f"{word}\n" for word in listed)
    assert hashlib.sha256(text.encode()).hexdigest() == (
        "2f5eed53a4727b4bf8880d8f3f199efc90e58503646d9ff8eff3a2ed3b24dbda"
    )


def test_words_never_change_between_versions():
    assert words(bytes(32)) == ("idle", "below", "fame", "force", "wood", "obey")


def test_words_come_from_a_slow_hash():
    assert (MODERATE.passes, MODERATE.memory_kib * 1024) == (
        argon2id.OPSLIMIT_MODERATE,
        argon2id.MEMLIMIT_MODERATE,
    )


@pytest.mark.parametrize("changed", range(32))
def test_words_depend_on_every_byte(changed):
    other = bytearray(32)
    other[changed] = 1
    assert words(bytes(other), cost=LEAST) != words(bytes(32), cost=LEAST)


def test_all_words_are_in_use():
    seen = {word for i in range(500) for word in words(i.to_bytes(32, "big"), cost=LEAST)}
    assert seen <= set(word_list())
    assert len(seen) > 1200  # 3,000 draws from 2,048 leave about 470 unseen
