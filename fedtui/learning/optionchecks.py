"""Whether an option is what a task's signature says: a plan can say anything."""


def is_texts(found: object) -> bool:
    """Whether this is a list of texts."""
    return isinstance(found, list) and all(isinstance(one, str) for one in found)


def is_whole_numbers(found: object) -> bool:
    """Whether this is a list of whole numbers; True and False are none."""
    return isinstance(found, list) and all(type(one) is int for one in found)
