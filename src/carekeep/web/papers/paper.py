"""What a paper consists of: a title, remarks, and sections of items with facts. All of it is plain text."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that is told, such as a problem. ``facts`` are what is said of it: a name and its text."""

    title: str = field(repr=False)
    facts: tuple[tuple[str, str], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Section:
    """Things of one kind. ``remarks`` come after them."""

    title: str
    items: tuple[Item, ...] = field(default=(), repr=False)
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Paper:
    """``about`` stands below the title: whose it is, and what must be said with it."""

    title: str
    about: tuple[str, ...] = field(repr=False)
    sections: tuple[Section, ...]
    language: str = "en"
