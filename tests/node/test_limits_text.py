"""Limits in words: all of them as a table, the ones that limit as a sentence."""

from fedtui.status import Limits
from node import limits_text

SOME = Limits(
    cpu_percent=50,
    threads=2,
    memory_mb=900,
    max_upload_mb_per_day=0.5,
    max_upload_kb_per_s=100,
    run="idle",
    hours="20:00-07:00",
    leave_on="2027-01-31",
)


def test_nothing_is_limited_in_few_words() -> None:
    assert limits_text.sentence(Limits()) == ""
    assert limits_text.table(Limits()).count("no limit") == 3


def test_where_it_trains_is_said_if_the_operator_chose() -> None:
    assert "GPU if there is one" in limits_text.table(Limits())
    assert limits_text.sentence(Limits(device="cpu")) == "trains on cpu"


def test_every_limit_is_said() -> None:
    for said in (limits_text.sentence(SOME), limits_text.table(SOME)):
        for words in ("50% of 2 threads", "900 MB", "0.5 MB", "100 kB/s", "cores", "2027-01-31"):
            assert words in said
        assert "20:00" in said
        assert "07:00" in said
