"""Where in a body something is wrong."""

from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Discriminator, Field, Tag, TypeAdapter, ValidationError

from shared.bodies import Place, place


class Bed(BaseModel, extra="forbid"):
    """A bed."""

    ward: str = Field(alias="on")
    number: int = 1


class Bay(BaseModel, extra="forbid"):
    """Beds."""

    beds: list[Bed] = []
    best: Bed | None = None


Several = Annotated[
    Annotated[Bay, Tag("one")] | Annotated[list[Bay], Tag("many")],
    Discriminator(lambda body: "many" if isinstance(body, list) else "one"),
]
BED, BAY = ("on", "number"), ("beds", "best")


@pytest.mark.parametrize(
    ("shape", "body", "found"),
    [
        (Bay, {"bed": 1}, Place(("bed",), BAY)),
        (Bay, {"beds": [{"on": "7"}, {"on": "7", "no": 1}]}, Place(("beds", 1, "no"), BED)),
        (Bay, {"best": {"on": "7", "ward": "7"}}, Place(("best", "ward"), BED)),
        (Bay, {"best": {"on": "7", "number": "many"}}, Place(("best", "number"))),
        (Bay | None, {"bed": 1}, Place(("bed",), BAY)),
        (Several, {"bed": 1}, Place(("bed",), BAY)),
        (Several, [{}, {"bed": 1}], Place((1, "bed"), BAY)),
        (Bay | Bed, {"bed": 1, "on": "7"}, Place(("bed",), BAY)),
        (Bay, 1, Place(())),
        (dict[str, str | int | None], {"on": {"ward": "7"}}, Place(("on",))),
    ],
)
def test_an_error_is_placed_in_the_body_that_was_sent(shape: Any, body: Any, found: Place) -> None:
    with pytest.raises(ValidationError) as wrong:
        TypeAdapter(shape).validate_python(body)

    assert place(shape, wrong.value.errors()[0]["loc"]) == found
