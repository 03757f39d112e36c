"""When a client may send again."""

from datetime import UTC, datetime, timedelta

import pytest

from services.ingest.rules.quota import seconds_to_wait

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("sent", "seconds"),
    [
        ([], 0),
        ([(0, 99)], 0),
        ([(0, 100)], 60),
        ([(59, 1000)], 1),
        ([(60, 1000)], 0),
        ([(50, 60), (20, 60)], 10),
        ([(20, 60), (50, 60)], 10),
        ([(50, 10), (40, 10), (30, 100)], 30),
        ([(0.5, 100)], 60),
    ],
)
def test_a_client_waits_until_what_it_sent_is_a_minute_old(sent, seconds):
    history = [(NOON - timedelta(seconds=ago), rows) for ago, rows in sent]

    assert seconds_to_wait(history, quota=100, now=NOON) == seconds
