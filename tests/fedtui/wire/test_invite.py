"""Invites: what they hold, how long they are, and what a person hears when one is broken (E1)."""

import base64
import hashlib
import string

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fedtui.errors import InviteError
from fedtui.wire.invite import Invite, secret_hash

ALPHABET = string.ascii_letters + string.digits + "-_"
INVITE = Invite(
    coordinator_id=bytes(range(32)),
    invite_id=b"invite-1",
    secret=b"sixteen bytes ok",
    expires=1_800_000_000,
    flags=1,
    addresses=("192.168.1.20:8443", "[fd00::20]:8443"),
)
TEXT = INVITE.encode()


def built(body):
    """A text whose checksum is right, whatever its body says."""
    check = hashlib.blake2b(body, digest_size=4, person=b"fedtui-invite-v1").digest()
    return "fedtui1:" + base64.urlsafe_b64encode(body + check).decode().rstrip("=")


def body_of(invite):
    text = invite.encode().removeprefix("fedtui1:")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))[:-4]


ports = st.integers(1, 65_535)
addresses = st.one_of(
    st.builds("{}:{}".format, st.ip_addresses(v=4), ports),
    st.builds("[{}]:{}".format, st.ip_addresses(v=6), ports),
    st.builds(
        "{}.{}:{}".format,
        st.from_regex(r"[a-z][a-z0-9-]{0,20}", fullmatch=True),
        st.just("lan"),
        ports,
    ),
)
invites = st.builds(
    Invite,
    coordinator_id=st.binary(min_size=32, max_size=32),
    invite_id=st.binary(min_size=8, max_size=8),
    secret=st.binary(min_size=16, max_size=16),
    expires=st.integers(0, 2**32 - 1),
    flags=st.integers(0, 255),
    addresses=st.lists(addresses, max_size=8).map(tuple),
)


@settings(deadline=None)
@given(invites)
def test_an_invite_reads_back(invite):
    text = invite.encode()
    assert Invite.parse(text) == invite
    assert text.startswith("fedtui1:")
    assert set(text.removeprefix("fedtui1:")) <= set(ALPHABET)


def test_one_ipv4_and_one_ipv6_address_make_132_characters():
    assert len(TEXT) == 132


def test_the_layout_is_the_documented_one():
    assert body_of(INVITE) == b"".join(
        (
            b"\x01",
            bytes(range(32)),
            b"invite-1",
            b"sixteen bytes ok",
            (1_800_000_000).to_bytes(4, "little"),
            b"\x01\x02",
            b"\x04" + bytes((192, 168, 1, 20)) + (8443).to_bytes(2, "little"),
            b"\x06\xfd" + bytes(14) + b"\x20" + (8443).to_bytes(2, "little"),
        )
    )


def test_blanks_and_line_breaks_do_not_matter():
    wrapped = "\n  ".join(TEXT[i : i + 40] for i in range(0, len(TEXT), 40))
    assert Invite.parse(f"\n {wrapped}\r\n") == INVITE


def test_K2_no_repr_shows_the_secret():
    assert "sixteen" not in repr(INVITE)
    assert "sixteen" not in str(INVITE)
    with pytest.raises(InviteError) as caught:
        Invite.parse(TEXT[:-1] + "!")
    assert TEXT[60:80] not in str(caught.value)


def test_the_coordinator_keeps_a_hash():
    assert len(secret_hash(INVITE.secret)) == 32
    assert secret_hash(INVITE.secret) != secret_hash(b"another secret!!")


def test_E1_every_cut_is_said_to_be_incomplete():
    for length in range(len("fedtui1:"), len(TEXT)):
        with pytest.raises(InviteError, match="end is missing"):
            Invite.parse(TEXT[:length])


def test_E1_every_slip_of_one_character_is_caught():
    for position in range(len("fedtui1:"), len(TEXT)):
        for letter in ALPHABET:
            if letter != TEXT[position]:
                with pytest.raises(InviteError, match=r"typing mistake|end is missing"):
                    Invite.parse(TEXT[:position] + letter + TEXT[position + 1 :])


def test_E1_every_swap_of_neighbours_is_caught():
    for position in range(len("fedtui1:"), len(TEXT) - 1):
        first, second = TEXT[position : position + 2]
        if first != second:
            with pytest.raises(InviteError, match=r"typing mistake|end is missing"):
                Invite.parse(TEXT[:position] + second + first + TEXT[position + 2 :])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not a fedtui invite"),
        ("hello", "not a fedtui invite"),
        (TEXT.removeprefix("fedtui1:"), "should start with 'fedtui1:'"),
        (TEXT.replace("fedtui1:", "FEDTUI1:"), "not a fedtui invite"),
        ("https://example.org/" + TEXT, "not a fedtui invite"),
        (TEXT.replace("fedtui1:", "fedtui2:"), "format 2.*reads format 1.*install"),
        (TEXT + "A", "typing mistake"),
        (TEXT + "AAAA", "typing mistake"),
        (TEXT + "=", "typing mistake"),
        (TEXT[:-1] + "+", "typing mistake"),
        (TEXT[:-1] + "é", "typing mistake"),
        ("fedtui1:" + "A" * 5000, "longer than any"),
        (built(b"\x02" + body_of(INVITE)[1:]), "typing mistake"),
    ],
)
def test_E1_what_is_wrong_is_said(text, says):
    with pytest.raises(InviteError, match=says):
        Invite.parse(text)


def test_two_texts_never_mean_the_same_invite():
    """Some last letters hold bits that mean nothing: they must be zero."""
    invite = Invite(bytes(32), bytes(8), bytes(16), 0, 0, ("10.0.0.1:1", "ab.c:1"))
    text = invite.encode()
    assert len(text.removeprefix("fedtui1:")) % 4
    last = ALPHABET_BASE64.index(text[-1])
    with pytest.raises(InviteError):
        Invite.parse(text[:-1] + ALPHABET_BASE64[last + 1])


ALPHABET_BASE64 = string.ascii_uppercase + string.ascii_lowercase + string.digits + "-_"


@pytest.mark.parametrize(
    "address",
    [
        "",
        "host",
        "host:",
        ":8443",
        "host:0",
        "host:65536",
        "host:99999999999",
        "host:8443x",
        "host:-1",
        "host:٣",
        "ho st:1",
        "host/path:1",
        "user@host:1",
        "-" * 64 + ":1",
        "a" * 254 + ":1",
        "1.2.3:1",
        "1.2.3.400:1",
        "::1:8443",
        "[::1:8443",
        "[fe80::1%eth0]:8443",
        "[nonsense]:1",
        "\x1b[31m:1",
        "höst:1",
    ],
)
def test_an_address_that_nobody_can_dial_is_refused(address):
    with pytest.raises(InviteError, match=r"address|port"):
        Invite(bytes(32), bytes(8), bytes(16), 0, 0, (address,)).encode()


@pytest.mark.parametrize(
    "packed",
    [
        b"\x01\x05\x1b[31m\x01\x00",
        b"\x01\x00\x01\x00",
        b"\x01\x07127.0.0\x01\x00",
        b"\x01\x02\xff\xfe\x01\x00",
        b"\x04\x7f\x00\x00\x01\x00\x00",
        b"\x09",
        b"\x01\x091.2.3.4:5\x01\x00",
    ],
)
def test_a_crafted_address_is_refused(packed):
    body = bytearray(body_of(Invite(bytes(32), bytes(8), bytes(16), 0)))
    body[62] = 1
    with pytest.raises(InviteError):
        Invite.parse(built(bytes(body) + packed))


@pytest.mark.parametrize(
    "fields",
    [
        {"coordinator_id": bytes(31)},
        {"invite_id": bytes(9)},
        {"secret": b""},
        {"expires": -1},
        {"expires": 2**32},
        {"flags": 256},
        {"addresses": ("a:1",) * 9},
    ],
)
def test_fields_out_of_range_are_not_written(fields):
    good = {"coordinator_id": bytes(32), "invite_id": bytes(8), "secret": bytes(16), "expires": 0}
    with pytest.raises(InviteError):
        Invite(**{**good, **fields}).encode()


@settings(max_examples=300, deadline=None)
@example(b"")
@given(st.binary(max_size=120))
def test_any_body_under_a_right_checksum_reads_or_is_refused(body):
    try:
        invite = Invite.parse(built(body))
    except InviteError:
        return
    assert invite.encode() == built(body)
