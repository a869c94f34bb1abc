"""Whatever the text: it fits what the codec and the messages allow."""

from hypothesis import given
from hypothesis import strategies as st

from fedtui.wire.codec import decode, encode
from fedtui.wire.messages import Away, Control, Leaving
from fedtui.wire.texts import short_text


@given(st.text(alphabet=st.characters(), max_size=400) | st.just("é" * 300))
def test_a_short_text_travels(text: str) -> None:
    short = short_text(text)
    assert decode(encode(Leaving(reason=short)), Control) == Leaving(reason=short)
    assert short_text(short) == short


def test_what_fits_stays_as_it_is() -> None:
    assert short_text("disk full: müll") == "disk full: müll"
    assert short_text("broken \udcff name") == "broken ? name"
    assert isinstance(decode(encode(Away(away=True)), Control), Away)
