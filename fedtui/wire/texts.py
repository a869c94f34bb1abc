"""Sentences that travel: cut so that the other side's codec takes them.

A sentence may quote a file name, a library or another node; whatever it holds, `short_text` makes
it fit the bounds of `Text` in messages.py and of codec.py. Showing it safely is the reader's duty
(labels.py).
"""

from fedtui.wire.codec import MAX_TEXT_BYTES

MAX_CHARACTERS = 200


def short_text(text: str) -> str:
    """The text, cut to MAX_CHARACTERS characters and MAX_TEXT_BYTES bytes of UTF-8.

    What cannot be encoded (half a surrogate pair, as in names of broken files) becomes "?".
    """
    data = text[:MAX_CHARACTERS].encode(errors="replace")
    return data[:MAX_TEXT_BYTES].decode(errors="ignore")
