"""Examples for the reference: what is sent and answered, as it was on a day in the demonstration, shortened.

`examples/<operation id>.json` holds `body` and `answer` by media type, and `refusals` by status where they are not
problems. An example that a service gives itself is not replaced. `tests/deploy/test_reference.py` holds them to their
schemas.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

Document = dict[str, Any]
FOLDER = Path(__file__).parent / "examples"
GOOD = ("200", "201", "202")


@cache
def _kept(operation: str) -> Document:
    path = FOLDER / f"{operation}.json"
    kept: Document = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return kept


def give(operation: Document) -> None:
    """Give an operation the examples that are kept for it and that it lacks."""
    kept = _kept(operation.get("operationId", ""))
    answers = operation.get("responses", {})
    _fill(operation.get("requestBody", {}), kept.get("body", {}))
    for status in GOOD:
        _fill(answers.get(status, {}), kept.get("answer", {}))
    for status, refusal in kept.get("refusals", {}).items():
        _fill(answers.get(status, {}), {"application/json": refusal})


def _fill(place: Document, examples: Document) -> None:
    for media_type, media in place.get("content", {}).items():
        if media_type in examples and not {"example", "examples"} & media.keys():
            media["example"] = examples[media_type]
