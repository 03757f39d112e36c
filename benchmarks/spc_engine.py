"""How many XmR series of 60 points the engine charts in a second, against plain numpy limits measured in the same run.

Run `python benchmarks/spc_engine.py`. The plain limit is a mean, a mean moving range and two comparisons, with none of
the exactness, screening, rules or runs: what a block cannot cost less than.
"""

import random
import time
from collections.abc import Callable

import msgspec
import numpy as np

from services.measures.rules.spc import Ruleset, Series, evaluate, evaluate_json, read
from services.measures.rules.spc.blocks import evaluate_block
from services.measures.rules.spc.charts import CHARTS
from services.measures.rules.spc.exact import Floats
from services.measures.rules.spc.limits import Sample

POINTS, ROWS, SERIES = 60, 250, 10_000


def plain_limits(values: Floats) -> Floats:
    centre = values.mean(axis=0)
    width = 2.66 * np.abs(np.diff(values, axis=0)).mean(axis=0)
    outside: Floats = (values > centre + width) | (values < centre - width)
    return outside


def block(values: Floats) -> Sample:
    ones, every = np.ones_like(values), np.ones(values.shape, bool)
    rows = values.shape[1]
    return Sample(
        values=values,
        denominators=ones,
        filled=every,
        included=every,
        baseline=every,
        centre=np.full(rows, np.nan),
        screen=np.ones(rows, bool),
        sizes=values,
        spreads=values,
    )


def fastest(work: Callable[[], object], times: int) -> float:
    """Seconds of the fastest of several runs."""
    taken = []
    for _ in range(times):
        begin = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begin)
    return min(taken)


def main() -> None:
    values = np.random.default_rng(60).normal(50, 5, (POINTS, ROWS))
    sample, multiplier, ruleset = block(values), np.ones(ROWS), Ruleset()
    limit = ROWS / fastest(lambda: plain_limits(values), 200)
    core = ROWS / fastest(lambda: evaluate_block(CHARTS["xmr"], sample, multiplier, ruleset), 200)
    print(f"plain numpy limits        {limit:>12,.0f} series/s   1.000")
    print(f"limits, rules and runs    {core:>12,.0f} series/s   {core / limit:.3f}")

    labels = [f"{2020 + month // 12}-{month % 12 + 1:02d}" for month in range(POINTS)]
    chance = random.Random(60)
    series = [
        Series(id=str(number), labels=labels, values=[chance.gauss(50, 5) for _ in labels], improvement="increase")
        for number in range(SERIES)
    ]
    body = msgspec.json.encode({"series": series})
    stages: dict[str, Callable[[], object]] = {
        "read the request": lambda: read(body),
        "answer in objects": lambda: evaluate(series),
        "answer in text": lambda: sum(map(len, evaluate_json(series))),
        "request to answer in text": lambda: sum(map(len, evaluate_json(read(body).series))),
    }
    for stage, work in stages.items():
        taken = fastest(work, 3)
        rate = SERIES / taken
        print(f"{stage:<26}{rate:>12,.0f} series/s   {rate / limit:.3f}   {taken:.2f} s for {SERIES:,}")


if __name__ == "__main__":
    main()
