"""A small language model of characters: learn the next one, from plain text of the operator's own.

`--data` is a text file in UTF-8, or a folder of .txt files. All nodes need the same characters, so
the plan has them: by default the printable ones of ASCII and the end of the line, 96 in all; what
`alphabet` lacks is the unknown character. For example, in plan.toml:

    [task]
    name = "char_lm"
    metric = "perplexity"
    [task.options]
    hidden = 128

An example is a window of `length` characters; the metric counts each of them. A uniform guess has
a perplexity of 97.
"""

from fedtui.learning.language import LanguageModel
from fedtui.learning.text import Characters

ASCII = "\n" + "".join(map(chr, range(32, 127)))


class CharLM(LanguageModel):
    """`embedding` and `hidden` are the widths of the network, a GRU."""

    def __init__(
        self,
        alphabet: str = ASCII,
        length: int = 64,
        embedding: int = 32,
        hidden: int = 128,
        continue_by: int = 40,
    ) -> None:
        super().__init__(
            Characters(alphabet),
            length=length,
            embedding=embedding,
            hidden=hidden,
            continue_by=continue_by,
        )


build = CharLM
