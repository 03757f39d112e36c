"""The shapes that the reference promises are those of the answers."""

from typing import Any

import pytest
from pydantic import BaseModel

from services.measures import schemas
from services.measures.rules import spc
from tests.measures.builders import a_target, an_organisation, monthly
from tests.measures.conftest import Served

SHIFTED = [20.0, 22, 19, 21, 20, 18, 23, 20, 21, 19, 12, 11, 10, 12, 11, 9, 10, 11]
SHOWN: dict[str, tuple[type[BaseModel], dict[str, str]]] = {
    "/v1/series": (schemas.Series, {"measure": "preterm", "organisation": "RGT"}),
    "/v1/charts/preterm/RGT": (schemas.Chart, {}),
    "/v1/signals": (schemas.Signals, {"organisation": "RGT"}),
}


def names(node: Any) -> Any:
    """The names in an answer and how they lie within one another, without the values."""
    if isinstance(node, dict):
        return {key: names(value) for key, value in node.items()}
    return [names(one) for one in node] if isinstance(node, list) else None


@pytest.mark.parametrize("path", SHOWN)
def test_an_answer_has_what_its_schema_says_and_nothing_else(served: Served, path: str) -> None:
    model, asked = SHOWN[path]
    served.hear(a_target(), an_organisation("RGT", within={"ENGLAND": ("national", None, None)}))
    served.hear_together(monthly(SHIFTED))

    answer: dict[str, Any] = served.read(path, **asked)

    assert answer.get("items") or answer["points"]
    assert names(model.model_validate(answer).model_dump()) == names(answer)


@pytest.mark.parametrize("kind", [spc.Request, spc.Answer])
def test_a_schema_of_the_engine_needs_nothing_beside_it(kind: Any) -> None:
    schema = schemas.whole_schema(kind)

    assert "properties" in schema
    assert "$ref" not in str(schema)
