"""What the registry told, held in the process for as long as it tells nothing else.

Which state that is the database says itself (`RegistryEdition`), asked at the beginning of every read: what is held of
another edition, or of another day, is let go. What is held was asked for no earlier than its edition was, so it is
never older; and it is shared by threads, so whoever gets it must not change it.
"""

import threading
from collections.abc import Collection, Hashable
from datetime import date
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Engine

ROOM = 100_000
"""The most that is held, in answers and the entries of those that are lists: some tens of megabytes."""


class Held:
    """What was found of one edition on one day. When there is no more room the oldest answers go."""

    def __init__(self, edition: str | None, today: date, room: int = ROOM) -> None:
        self.edition, self.today, self.room = edition, today, room
        self._answers: dict[Hashable, Any] = {}
        self.size = 0
        self._changing = threading.Lock()

    def get(self, key: Hashable) -> Any:
        """The answer to a question, None where it is not held."""
        return self._answers.get(key)

    def keep(self, key: Hashable, answer: Any) -> None:
        """Hold an answer, unless it is too large for the room there is."""
        if _size(answer) > self.room:
            return
        with self._changing:
            if key in self._answers:  # another thread was quicker
                return
            self._answers[key] = answer
            self.size += _size(answer)
            while self.size > self.room:
                self.size -= _size(self._answers.pop(next(iter(self._answers))))


_of: WeakKeyDictionary[Engine, Held] = WeakKeyDictionary()


def held(engine: Engine, edition: str | None, today: date) -> Held:
    """What is held of this edition of a database; of another nothing is kept."""
    found = _of.get(engine)
    if found is None or (found.edition, found.today) != (edition, today):
        found = _of[engine] = Held(edition, today)
    return found


def _size(answer: Any) -> int:
    return 1 + (len(answer) if isinstance(answer, Collection) else 0)
