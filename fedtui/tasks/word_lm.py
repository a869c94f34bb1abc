"""A small language model of words: learn the next one, from plain text of the operator's own.

`--data` is a text file in UTF-8, or a folder of .txt files. Words are lower-cased; punctuation
marks are words, too. All nodes need the same numbers for the same words, so the plan lists `words`
that are common knowledge, and any other word is one of `buckets` by its hash (Weinberger et al.
2009, arXiv:0902.2206): nobody has to say which words the texts hold. For example, in plan.toml:

    [task]
    name = "word_lm"
    metric = "perplexity"
    [task.options]
    words = ["the", "a", "patient", "was", "discharged", "."]
    buckets = 1000

A predicted word that is not listed is shown as the number of its bucket, such as #17.
"""

from fedtui.learning.language import LanguageModel
from fedtui.learning.optionchecks import is_texts
from fedtui.learning.text import Words

_MAX_TOKENS = 100_000


class WordLM(LanguageModel):
    """`embedding` and `hidden` are the widths of the network, a GRU."""

    def __init__(
        self,
        words: list[str] | None = None,
        buckets: int = 1000,
        length: int = 16,
        embedding: int = 64,
        hidden: int = 128,
        continue_by: int = 10,
    ) -> None:
        listed = [] if words is None else words
        if not is_texts(listed):
            raise TypeError(f"words is a list of texts such as ['the', 'a'], not {words!r}"[:120])
        if type(buckets) is not int or len(listed) + buckets > _MAX_TOKENS:
            raise ValueError(f"buckets is {buckets!r}; with words, at most {_MAX_TOKENS}")
        super().__init__(
            Words(listed, buckets),
            length=length,
            embedding=embedding,
            hidden=hidden,
            continue_by=continue_by,
        )


build = WordLM
