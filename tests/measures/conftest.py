"""Measures with a database of its own, told a few facts."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from pydantic import SecretStr

from services.measures.events import HANDLERS
from services.measures.queries.series import Question
from shared.contracts.event import Event
from shared.contracts.periods import Period
from shared.db import Database
from shared.principal import Principal

NATIONAL = Principal("analyst", frozenset({"measures:read"}), frozenset({"*"}), "national")


class Measures:
    """The service as its tests use it: `hear` facts, then ask."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def hear(self, *events: Event) -> None:
        for event in events:
            with self.database.session() as session:
                HANDLERS[type(event)](session, [event])

    def hear_together(self, events: Sequence[Event]) -> None:
        with self.database.session() as session:
            HANDLERS[type(events[0])](session, events)

    def ask(self, query: Callable[..., Any], measure: str = "preterm", organisation: str = "RGT", **more: Any) -> Any:
        extra = {name: more.pop(name) for name in ("kind",) if name in more}
        for name in ("first", "last"):
            if isinstance(more.get(name), str):
                more[name] = Period.parse(more[name])
        question = Question(measure, organisation, more.pop("caller", NATIONAL), **more)
        with self.database.session() as session:
            return query(session, question, **extra)


@pytest.fixture
def measures(new_database: Callable[[str], SecretStr]) -> Iterator[Measures]:
    database = Database(new_database("measures"), pool_size=2)
    yield Measures(database)
    database.close()
