"""Questions on what was made: what is asked, in words, and the answer that follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from pydantic import JsonValue

from scrutiq.core import Modality, Severity
from scrutiq.datasets.build.wording import confusable, modality_word, texts
from scrutiq.degradations import words

__all__ = [
    "KINDS",
    "WHOLE",
    "Ask",
    "Kind",
    "Shown",
    "answer",
    "options",
    "question",
    "surely_absent",
    "there",
    "wordings",
]

Kind = Literal["yes_no", "what", "how"]
#: In the order in which they are asked of an image.
KINDS: tuple[Kind, ...] = ("yes_no", "what", "how")
#: What is asked about beside degradations and attributes: the image as a whole.
WHOLE = ("reject", "fault", "overall")


class Shown(NamedTuple):
    """An image as the questions see it: what was made, and what its base may have by itself."""

    id: str
    modality: Modality
    made: str | None
    severity: Severity
    flaws: tuple[str, ...] = ()

    @property
    def attribute(self) -> str | None:
        return None if self.made is None else words(self.made).attribute

    @property
    def own(self) -> str | None:
        """The degradation where it is one of the modality rather than a general one."""
        return self.made if self.made is not None and not words(self.made).general else None


class Ask(NamedTuple):
    """One question, before it is put in words.

    Attributes
    ----------
    kind : {"yes_no", "what", "how"}
    specific : bool
        Whether it needs knowledge of the modality.
    asked : str
        A degradation, an attribute, or ``reject``, ``fault``, ``overall``; for what-questions ``attribute`` or
        ``degradation``: which of the two the options are.
    polarity : {"present", "absent"}
        For yes/no: whether yes means that it is there.
    variant : int
        Of the wording.
    choices : tuple of str
        Keys of the options in their order: degradations, attributes, ``none``; severities; ``yes`` and ``no``.
    block : int
        Number of the block within the split and kind.
    """

    kind: Kind
    specific: bool
    asked: str
    polarity: str
    variant: int
    choices: tuple[str, ...]
    block: int

    def to_json(self) -> dict[str, JsonValue]:
        return {**self._asdict(), "choices": list(self.choices)}

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Ask:
        return cls(**{**entry, "choices": tuple(entry["choices"])})


def answer(ask: Ask, shown: Shown) -> str:
    """Return the key of the right option: a function of what was made, and of nothing else."""
    if ask.kind == "yes_no":
        return "yes" if there(ask.asked, shown) == (ask.polarity == "present") else "no"
    if ask.kind == "how":
        found = ask.asked == "overall" or there(ask.asked, shown)
        return shown.severity.value if found else Severity.NONE.value
    fault = shown.attribute if ask.asked == "attribute" else shown.made
    return fault or "none"


def question(ask: Ask, modality: Modality) -> str:
    """Return the question in words."""
    template = _template(ask)
    text = template if isinstance(template, str) else template["text"]
    fault = words(ask.asked).term if "." in ask.asked else ""
    attribute = texts()["attribute"].get(ask.asked, "")
    result: str = text.format(modality=modality_word(modality), fault=fault, attribute=attribute)
    return result


def options(ask: Ask) -> tuple[str, ...]:
    """Return the options in words, in their order."""
    if ask.kind == "yes_no":
        return tuple(key.capitalize() for key in ask.choices)
    if ask.kind == "how":
        said = _template(ask)["options"]
        return tuple(said[key] for key in ask.choices)
    return tuple(_fault(key) for key in ask.choices)


def there(asked: str, shown: Shown) -> bool:
    """Return whether what is asked for was made."""
    if asked == "reject":
        return shown.severity is Severity.SEVERE
    if asked == "fault":
        return shown.severity is not Severity.NONE
    return shown.made == asked if "." in asked else shown.attribute == asked


def surely_absent(asked: str, shown: Shown) -> bool:
    """Return whether no reader would find a fault, an attribute at fault, or any fault, in an image."""
    if asked == "reject":
        return shown.severity is not Severity.SEVERE
    if asked == "fault":
        return shown.made is None and not shown.flaws
    if "." in asked:
        return not any(confusable(name, asked) for name in (shown.made, *shown.flaws) if name is not None)
    return asked not in (shown.attribute, *(words(name).attribute for name in shown.flaws))


def wordings(ask: Ask) -> Sequence[Any]:
    parts = texts()[ask.kind]
    if ask.kind == "what":
        section = "specific" if ask.specific else ask.asked
    else:
        section = ask.asked if ask.asked in WHOLE else "specific" if ask.specific else "general"
    found: Any = parts[section]
    wordings: Sequence[Any] = found[ask.polarity] if ask.kind == "yes_no" else found
    return wordings


def _template(ask: Ask) -> Any:
    return wordings(ask)[ask.variant]


def _fault(key: str) -> str:
    if key == "none":
        none: str = texts()["what"]["none"]
        return none
    said: str = words(key).term if "." in key else texts()["attribute"][key]
    return said[:1].upper() + said[1:]
