"""A process that never moves gives no signal: its centre is drawn exactly through its points."""

import pytest

from services.measures.rules.spc import Series, evaluate


@pytest.mark.parametrize("screen", [True, False])
@pytest.mark.parametrize(
    ("chart", "values", "denominators"),
    [
        ("t", [0.1] * 12, None),
        ("t", [5.1] * 12, None),
        ("ip", [0.1] * 12, None),
        ("ip", [1, 2, 3] * 4, [49, 98, 147] * 4),
        ("u", [3] * 12, [12.3] * 12),
        ("up", [3] * 12, [12.3] * 12),
        ("xbar", [[0.1] * 2, [0.1] * 3, [0.1] * 4] * 4, None),
    ],
)
def test_a_series_that_never_moves_has_no_signal(chart, values, denominators, screen):
    """Given the same figure at every point, when charted, then no point is beside the centre or outside a limit."""
    labels = [str(index) for index in range(len(values))]
    series = Series(chart=chart, labels=labels, values=values, denominators=denominators, screen=screen)
    (answer,) = evaluate([series])
    assert answer.runs[0].n_useful == 0
    assert not any(point.outside for point in answer.points)
