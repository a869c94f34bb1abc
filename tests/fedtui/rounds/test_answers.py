"""Answers name the attempt that they answer, and fit into a message whatever the reason."""

from fedtui.rounds import answers
from fedtui.wire.codec import decode, encode
from fedtui.wire.masked_messages import Survivors
from fedtui.wire.messages import Control, Evaluate, ModelRef

MODEL = ModelRef(round=3, digest=b"m" * 32, num_bytes=4)
EVALUATE = Evaluate(
    incarnation=2,
    round=3,
    plan_hash=b"p" * 32,
    manifest_digest=b"m" * 32,
    model=MODEL,
    deadline_s=1.0,
)


def test_a_long_reason_is_cut_to_what_may_travel() -> None:
    survivors = Survivors(incarnation=2, round=3, attempt=4, nodes=(), signature=b"s" * 64)
    for said in (
        answers.declining(survivors, "é" * 5000),
        answers.evaluation(EVALUATE, {}, "é" * 5000),
    ):
        assert decode(encode(said), Control) == said
        assert (said.incarnation, said.round) == (2, 3)
        assert said.reason.startswith("éé")
    assert answers.declining(survivors, "x").attempt == 4


def test_sentences_name_the_round() -> None:
    assert answers.failed(EVALUATE, "too late") == "round 3: too late"
