"""Contexts, seeds and statements: what each of them covers, against hashlib and known values."""

import hashlib
import json
import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fedtui.crypto import shamir
from fedtui.crypto.keys import Identity
from fedtui.secagg import context
from fedtui.secagg.context import Attempt, RosterBody
from fedtui.wire.masked_messages import RosterEntry

VECTORS = json.loads((Path(__file__).parents[2] / "vectors" / "secagg.json").read_text())["keys"]
HEX = re.compile(r"([0-9a-f]{2}){32,64}")

keys = st.binary(min_size=32, max_size=32)
positions = st.integers(0, 2**16)
secrets = st.integers(0, shamir.PRIME - 1)


def unhexed(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: bytes.fromhex(value) if HEX.fullmatch(str(value)) else value
        for name, value in values.items()
    }


ATTEMPT = Attempt(**unhexed(VECTORS["attempt"]))
ENTRIES = tuple(RosterEntry(**unhexed(entry)) for entry in VECTORS["roster"]["entries"])
BODY = RosterBody(**VECTORS["roster"] | {"entries": ENTRIES})
CTX = ATTEMPT.context()
CTX2 = context.roster_context(CTX, BODY)
CTX3 = context.included_context(CTX2, VECTORS["included"])


def textbook(purpose: str, *parts: bytes) -> bytes:
    """H as section 3 describes it: the purpose and every part behind their lengths."""
    hashed = b""
    for part in (purpose.encode(), *parts):
        hashed += bytes((len(part) >> 8 * i) & 255 for i in range(8)) + part
    return hashlib.blake2b(hashed, digest_size=32, person=b"fedtui-digest-v1").digest()


def numbered(*numbers: int) -> bytes:
    return bytes((number >> 8 * i) & 255 for number in numbers for i in range(4))


def another(value: object) -> Any:
    """A value of the same type that differs as little as it can."""
    match value:
        case bytes():
            return value[:-1] + bytes([value[-1] ^ 1])
        case bool():
            return not value
        case int():
            return value + 1
        case "update":
            return "evaluation"
        case "aegis256":
            return "chacha20"
        case _:
            raise AssertionError(f"say here how {value!r} changes")


# ---- known answers ------------------------------------------------------------------------------


def test_known_keys() -> None:
    secret, other = (bytes.fromhex(VECTORS[name]) for name in ("secret", "other_secret"))
    one, two = (shamir.from_bytes(data) for data in (secret, other))
    shared = context.mask_keys(one).agree(context.mask_keys(two).public)
    first, second = VECTORS["places"]
    entry = ENTRIES[0]
    found = {
        "ctx": CTX,
        "ctx2": CTX2,
        "ctx3": CTX3,
        "graph_seed": context.graph_seed(CTX2),
        "survivors": context.survivors_digest(CTX3, VECTORS["survivors"]),
        "mask_key": context.mask_keys(one).public,
        "other_mask_key": context.mask_keys(two).public,
        "shared": shared,
        "commitment": context.commitment(one, CTX),
        "self_seed": context.self_seed(one, CTX3),
        "pair_seed": context.pair_seed(shared, CTX3, second, first),
        "share_key": context.share_key(shared, CTX2, second, first),
        "share_data": context.share_data(CTX2, second, first),
        "ready": context.ready_statement(
            CTX, entry.mask_key, entry.share_key, entry.commitment, entry.base, entry.aes
        ),
    }
    assert {name: data.hex() for name, data in found.items()} == VECTORS["expected"]


@given(keys, keys, st.sets(positions, max_size=6), secrets, positions, positions)
def test_every_derivation_is_its_hash(
    shared: bytes, ctx: bytes, some: set[int], secret: int, low: int, more: int
) -> None:
    high, listed = low + more, numbered(*sorted(some))
    data = bytes((secret >> 8 * i) & 255 for i in range(32))
    assert context.included_context(ctx, some) == textbook("fedtui1-ctx3", ctx, listed)
    assert context.survivors_digest(ctx, some) == textbook("fedtui1-u2", ctx, listed)
    assert context.graph_seed(ctx) == textbook("fedtui1-graph", ctx)
    assert context.commitment(secret, ctx) == textbook("fedtui1-commit", data, ctx)
    assert context.self_seed(secret, ctx) == textbook("fedtui1-self", data, ctx)
    wanted = textbook("fedtui1-mask", shared, ctx, numbered(low, high))
    assert context.pair_seed(shared, ctx, low, high) == wanted
    wanted = textbook("fedtui1-share", shared, ctx, numbered(high, low))
    assert context.share_key(shared, ctx, high, low) == wanted
    assert context.share_data(ctx, high, low) == ctx + numbered(high, low)


# ---- what a context covers ----------------------------------------------------------------------


@pytest.mark.parametrize("name", [field.name for field in fields(Attempt)])
def test_every_field_of_the_attempt_is_in_its_context(name: str) -> None:
    changed = replace(ATTEMPT, **{name: another(getattr(ATTEMPT, name))})
    assert changed.context() != CTX


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("federation_id", "coordinator_id"),
        ("model_digest", "plan_hash"),
        ("round", "attempt"),
        ("attempt", "incarnation"),
    ],
)
def test_fields_of_the_attempt_cannot_trade_places(one: str, other: str) -> None:
    traded = {one: getattr(ATTEMPT, other), other: getattr(ATTEMPT, one)}
    assert replace(ATTEMPT, **traded).context() != CTX


@pytest.mark.parametrize("name", [n for n in RosterBody.__struct_fields__ if n != "entries"])
def test_every_number_of_the_roster_is_in_its_context(name: str) -> None:
    changed = msgspec.structs.replace(BODY, **{name: another(getattr(BODY, name))})
    assert context.roster_context(CTX, changed) != CTX2


@pytest.mark.parametrize("place", range(len(ENTRIES)))
@pytest.mark.parametrize("name", RosterEntry.__struct_fields__)
def test_every_field_of_every_entry_is_in_the_context(name: str, place: int) -> None:
    entries = list(ENTRIES)
    entries[place] = msgspec.structs.replace(
        entries[place], **{name: another(getattr(entries[place], name))}
    )
    changed = msgspec.structs.replace(BODY, entries=tuple(entries))
    assert context.roster_context(CTX, changed) != CTX2


def test_who_is_in_the_roster_and_where_is_in_the_context() -> None:
    for entries in (ENTRIES[:-1], ENTRIES[::-1], (*ENTRIES, ENTRIES[0]), ()):
        changed = msgspec.structs.replace(BODY, entries=entries)
        assert context.roster_context(CTX, changed) != CTX2
    assert context.roster_context(another(CTX), BODY) != CTX2


@given(keys, st.sets(positions, min_size=1), st.randoms(use_true_random=False), positions)
def test_a_set_counts_in_any_order_and_with_every_member(
    ctx: bytes, some: set[int], random: object, one: int
) -> None:
    listed = list(some)
    random.shuffle(listed)  # type: ignore[attr-defined]  # hypothesis gives a random.Random
    for derive in (context.included_context, context.survivors_digest):
        assert derive(ctx, listed) == derive(ctx, some) == derive(ctx, iter(sorted(some)))
        assert derive(ctx, some ^ {one}) != derive(ctx, some)
        assert derive(another(ctx), some) != derive(ctx, some)


# ---- seeds and keys -----------------------------------------------------------------------------


@given(secrets, secrets, keys, positions, st.integers(1, 2**15))
def test_both_nodes_of_a_pair_derive_one_seed_and_nobody_else(
    one: int, other: int, ctx: bytes, place: int, further: int
) -> None:
    pair_seed, there = context.pair_seed, place + further
    ours, theirs = context.mask_keys(one), context.mask_keys(other)
    shared = ours.agree(theirs.public)
    seed = pair_seed(shared, ctx, place, there)
    assert seed == pair_seed(theirs.agree(ours.public), ctx, there, place)
    assert len(seed) == 32
    others = [
        pair_seed(another(shared), ctx, place, there),
        pair_seed(shared, another(ctx), place, there),
        pair_seed(shared, ctx, place, there + 1),
        pair_seed(shared, ctx, place + 1, there + 1),
    ]
    assert len({seed, *others}) == 5


def test_seeds_of_a_node_differ_by_secret_and_context() -> None:
    for derive in (context.self_seed, context.commitment):
        found = {derive(secret, ctx) for secret in (0, 1, 2**254) for ctx in (CTX, CTX2, CTX3)}
        assert len(found) == 9
    assert len({context.mask_keys(secret).public for secret in (0, 1, 2**254)}) == 3


def test_nothing_fits_another_purpose() -> None:
    same = (CTX, b"", 0, 0)
    found = [
        *(context.self_seed(0, CTX), context.commitment(0, CTX), context.graph_seed(CTX)),
        *(context.included_context(CTX, ()), context.survivors_digest(CTX, ())),
        *(context.pair_seed(*same), context.share_key(*same)),
    ]
    assert len(set(found)) == len(found)
    labels = (context.READY, context.ROSTER, context.MAILBOX, context.SURVIVORS, context.VOTE)
    assert len(set(labels)) == 5


def test_sealed_shares_have_a_direction_and_an_attempt() -> None:
    shared = bytes(32)
    asked = [(ctx, *places) for ctx in (CTX, CTX2) for places in ((1, 2), (2, 1), (1, 3))]
    assert len({context.share_key(shared, *one) for one in asked}) == 6
    assert len({context.share_data(*one) for one in asked}) == 6
    assert context.share_key(another(shared), CTX, 1, 2) != context.share_key(shared, CTX, 1, 2)


def test_every_part_of_being_ready_is_signed() -> None:
    parts = [*(bytes([i]) * 32 for i in range(4)), 258, True]
    statement = context.ready_statement(*parts)
    base = bytes([2, 1, 0, 0, 0, 0, 0, 0])
    assert statement == textbook("fedtui1-ready", *parts[:4], base, b"\1")
    for i in range(6):
        changed = [another(part) if i == j else part for j, part in enumerate(parts)]
        assert context.ready_statement(*changed) != statement


def test_the_keystream_is_the_one_that_every_processor_makes_in_good_time() -> None:
    fast = [msgspec.structs.replace(entry, aes=True) for entry in ENTRIES]
    slow = [*fast[:-1], msgspec.structs.replace(fast[-1], aes=False)]
    planned = replace(ATTEMPT, keystream="aegis256")
    assert context.keystream_of(planned, fast) == "aegis256"
    assert context.keystream_of(planned, slow) == "chacha20"
    for entries in (fast, slow):
        chosen = context.keystream_of(replace(ATTEMPT, keystream="chacha20"), entries)
        assert chosen == "chacha20"


def test_the_id_of_an_entry_is_computed_from_its_keys() -> None:
    public = Identity.from_seed(bytes(32)).public
    entry = msgspec.structs.replace(
        ENTRIES[0], x25519=public.x25519_public, ed25519=public.ed25519_public
    )
    assert context.identity_of(entry).id == public.id
