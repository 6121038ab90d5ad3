"""What every noun shares: frozen, validated, JSON in and out with a schema version."""

from __future__ import annotations

import json
from typing import Any, ClassVar, Literal, NoReturn, Self, TypeVar

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, core_schema

__all__ = ["SCHEMA_VERSION", "FrozenDict", "Noun"]

#: Version of every JSON document that Scrutiq writes. It changes when a reader of the old one would break.
SCHEMA_VERSION: Literal["1"] = "1"

K = TypeVar("K")
V = TypeVar("V")


class FrozenDict(dict[K, V]):
    """A dictionary that cannot be changed, so that a frozen noun is frozen all the way down."""

    def _refuse(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        raise TypeError("this mapping is immutable")

    __setitem__ = __delitem__ = clear = pop = popitem = setdefault = update = __ior__ = _refuse

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(frozenset(self.items()))

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (dict(self),))

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        key, value = getattr(source, "__args__", (Any, Any))
        return core_schema.no_info_after_validator_function(
            cls, core_schema.dict_schema(handler.generate_schema(key), handler.generate_schema(value))
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> Any:
        return handler(schema)


class Noun(BaseModel):
    """Base of the nouns: immutable, no unknown fields, no NaN or infinity in any number."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, arbitrary_types_allowed=True
    )

    def to_json(self, indent: int | None = None) -> str:
        """Return this noun as one JSON document that carries ``schema_version``.

        Parameters
        ----------
        indent : int, optional
            Spaces of indentation; one line when omitted.
        """
        document = {"schema_version": SCHEMA_VERSION, **self.model_dump(mode="json")}
        return json.dumps(document, indent=indent, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Build the noun from a document that `to_json` wrote.

        Raises
        ------
        ValueError
            If the text is not JSON, states another schema version, or does not describe a valid noun.
        """
        document = json.loads(text)
        if not isinstance(document, dict):
            raise ValueError(f"a {cls.__name__} document is a JSON object, not {type(document).__name__}")
        version = document.pop("schema_version", None)
        if version != SCHEMA_VERSION:
            raise ValueError(f"schema_version is {version!r}; this Scrutiq reads {SCHEMA_VERSION!r}")
        return cls.model_validate(document)
