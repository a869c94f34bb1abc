"""The invite: one line of text that a coordinator's operator hands to a participant.

    "fedtui1:" | base64url without padding of
    version u8 | coordinator_id 32 | invite_id 8 | secret 16 | expires u32 | flags u8 |
    num_addresses u8 | addresses | checksum 4

    address:  4 | 4 bytes | port u16        IPv4
              6 | 16 bytes | port u16       IPv6
              1 | length u8 | name | port u16

Integers are little-endian, `expires` counts seconds since 1970 on the coordinator's clock. The
checksum (BLAKE2b) catches slips of the hand, not malice: whoever holds an invite may use it, so it
is passed over a trusted way, never in a command line, and the coordinator stores only
`secret_hash`.
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass, field
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Annotated

import msgspec

from fedtui.crypto.keys import digest
from fedtui.errors import InviteError

VERSION = 1
PREFIX = f"fedtui{VERSION}:"
MAX_ADDRESSES = 8
MAX_TEXT_CHARACTERS = 4096

_CHECKSUM_BYTES = 4
_FIXED_BYTES = 63
_FORM = re.compile(r"fedtui(\d{1,3}):(.*)", re.DOTALL)
_NAME = re.compile(r"(?=.{1,253}$)[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*\.?")
_BROKEN = "ask for the invite again and copy it whole, by copy and paste"


@dataclass(frozen=True, slots=True)
class Invite:
    """What an invite says. `addresses` are "host:port", with an IPv6 host in brackets."""

    coordinator_id: bytes
    invite_id: bytes
    secret: bytes = field(repr=False)
    expires: int
    flags: int = 0
    addresses: tuple[str, ...] = ()

    def encode(self) -> str:
        """Return the text to hand over, starting with "fedtui1:".

        Raises:
            InviteError: a field or an address cannot be written.
        """
        self._check()
        body = b"".join(
            (
                bytes((VERSION,)),
                self.coordinator_id,
                self.invite_id,
                self.secret,
                self.expires.to_bytes(4, "little"),
                bytes((self.flags, len(self.addresses))),
                *map(_pack_address, self.addresses),
            )
        )
        return PREFIX + _text_of(body + _checksum(body))

    @classmethod
    def parse(cls, text: str) -> "Invite":
        """Read an invite; blanks and line breaks in it do not matter.

        Raises:
            InviteError: not an invite, of another version, incomplete or mistyped; says which.
        """
        letters = _letters_of(text)
        data = _bytes_of(letters)
        addresses, end = _read_addresses(data)
        if len(data) < end + _CHECKSUM_BYTES:
            raise InviteError(f"this invite is incomplete: its end is missing; {_BROKEN}")
        body = data[:end]
        # The last letter may hold bits beyond the last byte: one invite has one text.
        if data[end:] != _checksum(body) or body[0] != VERSION or _text_of(data) != letters:
            raise InviteError(f"this invite has a typing mistake in it; {_BROKEN}")
        return cls(
            coordinator_id=body[1:33],
            invite_id=body[33:41],
            secret=body[41:57],
            expires=int.from_bytes(body[57:61], "little"),
            flags=body[61],
            addresses=tuple(map(_unpack_address, addresses)),
        )

    def _check(self) -> None:
        sizes = len(self.coordinator_id), len(self.invite_id), len(self.secret)
        if sizes != (32, 8, 16):
            raise InviteError(f"an invite holds 32, 8 and 16 bytes, not {sizes}")
        if not 0 <= self.expires < 2**32 or not 0 <= self.flags < 256:
            raise InviteError("an invite's expiry or flags are out of range")
        if len(self.addresses) > MAX_ADDRESSES:
            raise InviteError(f"an invite holds at most {MAX_ADDRESSES} addresses")


class InviteProof(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an invite string proves to the coordinator that made it."""

    invite_id: Annotated[bytes, msgspec.Meta(min_length=8, max_length=8)]
    secret: Annotated[bytes, msgspec.Meta(min_length=16, max_length=16)]

    def __repr__(self) -> str:
        return f"InviteProof({self.invite_id.hex()})"


def secret_hash(secret: bytes) -> bytes:
    """Return what the coordinator stores in place of an invite's secret."""
    return digest("invite secret", secret)


def _letters_of(text: str) -> str:
    """Return what follows the prefix, after a look at it."""
    if len(text) > MAX_TEXT_CHARACTERS:
        raise InviteError(f"this is not an invite: it is longer than any; {_BROKEN}")
    form = _FORM.fullmatch("".join(text.split()))
    if form is None:
        raise InviteError(
            f"this is not a fedtui invite: it should start with '{PREFIX}'; {_BROKEN}"
        )
    version, letters = form.groups()
    if version != str(VERSION):
        raise InviteError(
            f"this invite has format {version}, this fedtui reads format {VERSION}: "
            "install the version of fedtui that the coordinator runs"
        )
    return letters


def _bytes_of(letters: str) -> bytes:
    try:
        return base64.b64decode(letters + "=" * (-len(letters) % 4), altchars="-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise InviteError(
            f"this invite has a typing mistake in it, or its end is missing; {_BROKEN}"
        ) from error


def _text_of(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _read_addresses(data: bytes) -> tuple[list[bytes], int]:
    """Return the packed addresses and where they end; the end may lie beyond the data."""
    if len(data) < _FIXED_BYTES:
        return [], _FIXED_BYTES
    found: list[bytes] = []
    start = _FIXED_BYTES
    for _ in range(data[_FIXED_BYTES - 1]):
        size = _address_size(data[start : start + 2])
        found.append(data[start : start + size])
        start += size
    return found, start


def _address_size(head: bytes) -> int:
    match head[:1], head[1:]:
        case b"\x04", _:
            return 7
        case b"\x06", _:
            return 19
        case b"\x01", length if length:
            return 4 + length[0]
        case _:  # cut off, or no such kind: one byte on, then the checksum decides
            return 1


def _pack_address(address: str) -> bytes:
    host, colon, port_text = address.rpartition(":")
    if not colon or not port_text.isascii() or not port_text.isdigit():
        raise InviteError(f"'{address}' is not an address: write HOST:PORT or [IPV6]:PORT")
    if not 1 <= int(port_text[:6]) <= 65_535:
        raise InviteError(f"'{address}' has no port between 1 and 65535")
    port = int(port_text).to_bytes(2, "little")
    try:
        if host.startswith("[") and host.endswith("]") and "%" not in host:
            return b"\x06" + IPv6Address(host[1:-1]).packed + port
        if host.replace(".", "").isdigit():
            return b"\x04" + IPv4Address(host).packed + port
    except AddressValueError as error:
        raise InviteError(f"'{address}' is not an address: {error}") from error
    if not _NAME.fullmatch(host):
        raise InviteError(f"'{address}' is not an address: write HOST:PORT or [IPV6]:PORT")
    return bytes((1, len(host))) + host.encode() + port


def _unpack_address(packed: bytes) -> str:
    port = int.from_bytes(packed[-2:], "little")
    match packed[0]:
        case 4:
            address = f"{IPv4Address(packed[1:5])}:{port}"
        case 6:
            address = f"[{IPv6Address(packed[1:17])}]:{port}"
        case _:
            # Shown to people and dialled, so a name holds nothing but the letters of names.
            address = f"{packed[2:-2].decode('ascii', 'replace')}:{port}"
    if _pack_address(address) != packed:
        raise InviteError("this invite holds an address that cannot be dialled: ask for another")
    return address


def _checksum(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=_CHECKSUM_BYTES, person=b"fedtui-invite-v1").digest()
