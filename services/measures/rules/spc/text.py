"""Answers as JSON, written straight from the columns: what does not differ between points is put into text once."""

from collections.abc import Callable, Iterator, Sequence
from itertools import repeat

import msgspec

from services.measures.rules.spc.answers import STANDARD, Columns, summarise
from services.measures.rules.spc.blocks import LINES, judge
from services.measures.rules.spc.charts import CHARTS
from services.measures.rules.spc.packing import pack
from services.measures.rules.spc.series import Ruleset, Series
from services.measures.rules.spc.verdicts import RULES, SIGNALS

SERIES_A_PIECE = 200

_encode = msgspec.json.encode
_NO_DENOMINATOR = b',"denominator":null'


def evaluate_json(series: Sequence[Series], *, ruleset: Ruleset = STANDARD) -> Iterator[bytes]:
    """`{"series": [...]}` of the answers of `evaluate`, in pieces; all is checked and judged before the first.

    Raises `InvalidSeries`, which names the place, for the first series that cannot be charted.
    """
    columns = Columns.of(judge(pack(series), ruleset))
    return _pieces(series, columns, ruleset)


def _pieces(all_series: Sequence[Series], columns: Columns, ruleset: Ruleset) -> Iterator[bytes]:
    label = _Labels().__getitem__
    between = b'{"series":['
    for begin in range(0, len(all_series), SERIES_A_PIECE):
        pieces: list[bytes] = []
        for number in range(begin, min(begin + SERIES_A_PIECE, len(all_series))):
            series = all_series[number]
            head = {"id": series.id, "chart": series.chart}
            pieces += (between, _encode(head)[:-1], b',"points":[')
            pieces += _points(number, series, columns, label)
            pieces += (b"],", _encode(summarise(number, series, columns, ruleset))[1:])
            between = b","
        yield b"".join(pieces)
    yield b"]}" if all_series else b'{"series":[]}'


class _Labels(dict[str, bytes]):
    """How a point begins, by its label."""

    def __missing__(self, label: str) -> bytes:
        text = self[label] = b',{"label":' + _encode(label) + b',"value":'
        return text


def _points(number: int, series: Series, columns: Columns, label: Callable[[str], bytes]) -> list[bytes]:
    """The points of one series: of each its label, value, denominator, lines and verdict."""
    rows, begin = columns.span(number)
    if not rows:
        return []
    count, end = columns.ends[number] - begin, columns.ends[number]
    pieces = [_NO_DENOMINATOR] * (5 * count)
    pieces[0::5] = map(label, series.labels)
    pieces[0] = pieces[0][1:]
    pieces[1::5] = _numbers(columns.value[begin:end])
    if series.denominators is not None:
        pieces[2::5] = [_NO_DENOMINATOR[:15] + number for number in _numbers(series.denominators)]
    lines = _steady_lines if CHARTS[series.chart].steady else _varying_lines
    pieces[3::5] = [line for segment, row in enumerate(rows) for line in lines(segment, row, columns)]
    pieces[4::5] = map(_VERDICTS[series.improvement].__getitem__, columns.verdicts[begin:end])
    return pieces


def _numbers(values: Sequence[float | None]) -> list[bytes]:
    return _encode(values)[1:-1].split(b",")


_NAMES = ("segment", "centre", *LINES)
_LINES_TEXT = "".join(f',"{name}":%b' for name in _NAMES).encode()


def _steady_lines(segment: int, row: int, columns: Columns) -> Iterator[bytes]:
    values = [columns.centre[row], *(line[row] for line in columns.lines)]
    return repeat(_LINES_TEXT % (b"%d" % segment, *_numbers(values)), columns.length[row])


def _varying_lines(segment: int, row: int, columns: Columns) -> Iterator[bytes]:
    start = _LINES_TEXT.replace(b"%b", b"%d" % segment, 1).replace(b"%b", _encode(columns.centre[row]), 1)
    lines = (_numbers(list(line)) for line in columns.limits(False, row))
    return map(start.__mod__, zip(*lines, strict=True))


def _verdict_text(verdict: int, signals: Sequence[str]) -> bytes:
    rule = RULES[verdict // 3]
    fields = {"outside": rule == "outside", "rule": rule, "signal": signals[verdict % 3]}
    return b"," + _encode(fields)[1:]


_VERDICTS = {name: [_verdict_text(verdict, signals) for verdict in range(15)] for name, signals in SIGNALS.items()}
