"""What is held of the present: of one edition, for as long as there is room, by many threads."""

import threading
from datetime import date, timedelta
from typing import Any

from services.measures.queries.held import Held, held
from services.measures.queries.moment import AT_ONCE, NOW, Moment
from tests.measures.conftest import Measures

TODAY = date(2026, 11, 23)


def test_another_day_is_another_edition(measures: Measures) -> None:
    engine = measures.database.engine
    one = held(engine, "a", TODAY)

    assert held(engine, "a", TODAY) is one
    assert held(engine, "a", TODAY + timedelta(days=1)) is not one
    assert held(engine, "b", TODAY) is not one


def test_the_oldest_goes_when_there_is_no_room_and_what_is_too_large_is_not_held() -> None:
    one = Held("a", TODAY, room=10)
    for key in "xyz":
        one.keep(key, [1, 2, 3])
    one.keep("large", list(range(20)))

    assert [key for key in ("x", "y", "z", "large") if one.get(key)] == ["y", "z"]


def test_of_very_many_nothing_is_held_one_by_one() -> None:
    moment = Moment(held=Held("a", TODAY))
    keys = list(range(AT_ONCE + 1))

    assert moment.found_of("kind", keys, lambda missing: dict.fromkeys(missing, "x")) == dict.fromkeys(keys, "x")
    assert moment.found_of("kind", keys[:2], lambda missing: dict.fromkeys(missing, "y")) == {0: "y", 1: "y"}


def test_only_what_is_missing_is_asked_for_and_the_order_is_kept() -> None:
    moment, asked = Moment(held=Held("a", TODAY)), []

    def ask(missing: list[str]) -> dict[str, str]:
        asked.append(missing)
        return {key: key.upper() for key in missing}

    moment.found_of("letters", ["b"], ask)

    assert list(moment.found_of("letters", ["a", "b", "c"], ask).items()) == [("a", "A"), ("b", "B"), ("c", "C")]
    assert asked == [["b"], ["a", "c"]]


def test_the_present_without_anything_held_is_asked_for_each_time() -> None:
    answers = iter((1, 2))

    assert [NOW.found("x", lambda: next(answers)) for _ in range(2)] == [1, 2]


def test_threads_may_hold_and_find_at_once() -> None:
    one = Held("a", TODAY, room=50)
    wrong: list[Any] = []

    def work(start: int) -> None:
        for number in range(start, start + 2_000):
            key = number % 40
            one.keep(key, [key] * 3)
            found = one.get(key)
            wrong.extend([found] if found is not None and found != [key] * 3 else [])

    threads = [threading.Thread(target=work, args=(n * 7,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []
    assert one.size <= 50
