"""Close codes and exceptions: the numbers are a contract with every other implementation."""

from fedtui import errors
from fedtui.errors import ChannelError, CloseCode, ExitCode, FedtuiError, Retry


def subclasses(base):
    return {base} | {deep for direct in base.__subclasses__() for deep in subclasses(direct)}


def test_the_numbers_are_those_of_the_protocol():
    assert {code.name: int(code) for code in CloseCode} == {
        "BYE": 4000,
        "UNAUTHORISED": 4001,
        "CRYPTO": 4002,
        "IDENTITY_MISMATCH": 4003,
        "VERSION": 4004,
        "PROTOCOL": 4005,
        "LIMIT": 4006,
        "SUPERSEDED": 4007,
        "REVOKED": 4008,
        "PENDING_TIMEOUT": 4009,
        "OVERLOADED": 4010,
        "SHUTTING_DOWN": 4011,
        "ROTATED": 4012,
    }
    assert CloseCode(4007) is CloseCode.SUPERSEDED


def test_every_code_says_what_a_node_does():
    def of(retry):
        return {int(code) for code in CloseCode if code.retry is retry}

    assert of(Retry.SILENTLY) == {4000, 4010, 4011}
    assert of(Retry.WITH_BANNER) == {4002, 4006}
    assert of(Retry.ASK) == {4001, 4003, 4004, 4008, 4012}
    assert of(Retry.REPORT) == {4005}
    assert of(Retry.NEVER) == {4007, 4009}
    assert all(code.sentence for code in CloseCode)


def test_every_exception_names_an_exit_code():
    for kind in subclasses(FedtuiError):
        assert isinstance(kind.exit_code, ExitCode)
        assert kind.exit_code is not ExitCode.OK


def test_channel_errors_carry_the_code_to_close_with():
    assert errors.RemoteProtocolError("x").code is CloseCode.PROTOCOL
    assert errors.CryptoError("x").code is CloseCode.CRYPTO
    assert errors.IdentityMismatchError("x").code is CloseCode.IDENTITY_MISMATCH
    assert errors.ChannelClosedError("x").code is CloseCode.BYE
    assert errors.RemoteProtocolError("x", code=CloseCode.LIMIT).code is CloseCode.LIMIT
    assert not issubclass(errors.LocalProtocolError, ChannelError)
