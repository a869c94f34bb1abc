"""The handshake against published vectors and against another implementation."""

import json
from pathlib import Path

import numpy as np
import pytest
from noise.connection import Keypair, NoiseConnection

from fedtui.crypto import noise
from fedtui.crypto.keys import KeyPair
from fedtui.crypto.noise import Handshake
from fedtui.errors import CryptoError, LocalProtocolError

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "noise_xx.json").read_text())
NAME = b"Noise_XX_25519_ChaChaPoly_BLAKE2b"


def pair(seed=0, prologue=b"p"):
    rng = np.random.default_rng(seed)
    secrets = [KeyPair.from_secret(rng.bytes(32)) for _ in range(4)]
    return (
        Handshake(initiator=True, static=secrets[0], ephemeral=secrets[1], prologue=prologue),
        Handshake(initiator=False, static=secrets[2], ephemeral=secrets[3], prologue=prologue),
    )


def shake(initiator, responder, payloads=(b"", b"two", b"three")):
    sides = initiator, responder
    for turn, payload in enumerate(payloads):
        message = sides[turn % 2].write(payload)
        assert sides[1 - turn % 2].read(message) == payload


@pytest.mark.parametrize("vector", VECTORS["vectors"])
def test_S1_public_vectors(vector):
    def side(role, *, initiator):
        return Handshake(
            initiator=initiator,
            static=KeyPair.from_secret(bytes.fromhex(vector[f"{role}_static"])),
            ephemeral=KeyPair.from_secret(bytes.fromhex(vector[f"{role}_ephemeral"])),
            prologue=bytes.fromhex(vector["prologue"]),
        )

    assert VECTORS["protocol"].encode() == NAME
    writer, reader = initiator, responder = (
        side("init", initiator=True),
        side("resp", initiator=False),
    )
    for message in vector["handshake"]:
        payload = bytes.fromhex(message["payload"])
        assert writer.write(payload).hex() == message["ciphertext"]
        assert reader.read(bytes.fromhex(message["ciphertext"])) == payload
        writer, reader = reader, writer
    assert initiator.split() == responder.split()
    assert initiator.handshake_hash == responder.handshake_hash
    for message in vector["transport"]:
        key = initiator.split()[message["sender"] == "responder"]
        ciphertext = bytes.fromhex(message["ciphertext"])
        assert noise.seal(key, 0, b"", bytes.fromhex(message["payload"])) == ciphertext
        assert noise.unseal(key, 0, b"", ciphertext) == bytes.fromhex(message["payload"])


def other_side(static, ephemeral, prologue, *, initiator):
    other = NoiseConnection.from_name(NAME)
    other.set_as_initiator() if initiator else other.set_as_responder()
    other.set_prologue(prologue)
    other.set_keypair_from_private_bytes(Keypair.STATIC, static)
    other.set_keypair_from_private_bytes(Keypair.EPHEMERAL, ephemeral)
    other.start_handshake()
    return other


def converse(rng, *, ours_initiates):
    """One handshake, a record each way, a REKEY and one more, between ours and theirs."""
    prologue = rng.bytes(int(rng.integers(0, 40)))
    static, ephemeral = rng.bytes(32), rng.bytes(32)
    ours = Handshake(
        initiator=ours_initiates,
        static=KeyPair.from_secret(static),
        ephemeral=KeyPair.from_secret(ephemeral),
        prologue=prologue,
    )
    theirs_static = rng.bytes(32)
    theirs = other_side(theirs_static, rng.bytes(32), prologue, initiator=not ours_initiates)
    for turn in range(3):
        payload = rng.bytes(int(rng.integers(0, 100)))
        if (turn % 2 == 0) == ours_initiates:
            assert theirs.read_message(ours.write(payload)) == payload
        else:
            assert ours.read(bytes(theirs.write_message(payload))) == payload
    assert ours.remote_static == KeyPair.from_secret(theirs_static).public
    assert ours.handshake_hash == theirs.get_handshake_hash()
    sending, receiving = ours.split() if ours_initiates else reversed(ours.split())
    assert theirs.decrypt(noise.seal(sending, 0, b"", b"one")) == b"one"
    assert noise.unseal(receiving, 0, b"", theirs.encrypt(b"two")) == b"two"
    theirs.rekey_inbound_cipher()
    assert theirs.decrypt(noise.seal(noise.rekey(sending), 1, b"", b"three")) == b"three"


@pytest.mark.filterwarnings("ignore:One of ephemeral keypairs is already set")
def test_S1_a_thousand_differential_runs():
    rng = np.random.default_rng(1)
    for run in range(1000):
        converse(rng, ours_initiates=run % 2 == 0)


def test_a_handshake_gives_both_sides_the_same_and_runs_differ():
    first, second = pair(1), pair(2)
    shake(*first)
    shake(*second)
    assert first[0].split() == first[1].split()
    assert first[0].split() != second[0].split()
    assert first[0].handshake_hash != second[0].handshake_hash
    assert len(set(first[0].split())) == 2
    assert len(first[0].handshake_hash) == 64


def test_payloads_are_encrypted_from_the_second_message_on():
    initiator, responder = pair()
    responder.read(initiator.write(b""))
    second = responder.write(b"secret payload")
    assert b"secret payload" not in second
    initiator.read(second)
    third = initiator.write(b"secret payload")
    assert b"secret payload" not in third
    assert initiator._static.public not in third


def test_out_of_turn_is_our_own_bug_and_changes_nothing():
    initiator, responder = pair()
    with pytest.raises(LocalProtocolError):
        responder.write(b"")
    with pytest.raises(LocalProtocolError):
        initiator.read(bytes(32))
    with pytest.raises(LocalProtocolError):
        initiator.split()
    with pytest.raises(LocalProtocolError):
        _ = initiator.remote_static
    shake(initiator, responder)
    for side in (initiator, responder):
        with pytest.raises(LocalProtocolError):
            side.write(b"")
        with pytest.raises(LocalProtocolError):
            side.read(bytes(64))


@pytest.mark.parametrize("size", [0, 31, 65_536])
def test_a_first_message_of_impossible_length_is_refused(size):
    with pytest.raises(CryptoError):
        pair()[1].read(bytes(size))


def test_an_ephemeral_key_of_small_order_is_refused():
    _, responder = pair()
    responder.read(bytes(32))
    with pytest.raises(CryptoError):
        responder.write(b"")


def test_another_prologue_fails_at_the_first_encrypted_message():
    initiator, responder = pair(prologue=b"a")[0], pair(prologue=b"b")[1]
    responder.read(initiator.write(b""))
    with pytest.raises(CryptoError):
        initiator.read(responder.write(b""))


def test_seal_and_unseal_bind_key_nonce_and_associated_data():
    key, other = bytes(32), b"\x01" * 32
    sealed = noise.seal(key, 5, b"ad", b"text")
    assert noise.unseal(key, 5, b"ad", sealed) == b"text"
    for attempt in ((other, 5, b"ad", sealed), (key, 6, b"ad", sealed), (key, 5, b"a", sealed)):
        with pytest.raises(CryptoError):
            noise.unseal(*attempt)
    for short in (b"", bytes(15)):
        with pytest.raises(CryptoError):
            noise.unseal(key, 5, b"ad", short)


def test_rekey_is_the_specified_one_way_step():
    key = bytes(range(32))
    assert noise.rekey(key) == noise.seal(key, 2**64 - 1, b"", bytes(32))[:32] != key
