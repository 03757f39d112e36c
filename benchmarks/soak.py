"""Whether the memory of the platform is flat: `python -m benchmarks.soak MINUTES` (10, if left out).

`psip demo` runs in a process of its own, with its data; from here come submissions that correct and are wrong, charts
and series by several callers, exports in both forms, pages, refusals, and streams that are opened and left. Afterwards:
the memory of that process (its PostgreSQL aside) at the start, in the middle and at the end of the load, and how fast
it grew in the second half. The exit status is 1 where that is more than 5 %, or where an answer failed.
"""

import json
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import psutil

from deploy.demo import files
from deploy.demo.span import Span
from psip import Client
from shared.db import now

PORT = 8768
EVERY = 2.0  # seconds between two looks at the memory
ALLOWED = 0.05
WARM = 0.1  # the share of the time at the beginning that is not looked at
FILES = 6
READERS, STREAMS = 3, 4
PAUSE = 0.05
MEASURES = ("mn-preterm", "mn-cqimapgar", "ch-falls", "md-arrest")
PLACES = ("RGT", "RGN", "RDE", "QH8", "QUE", "ENGLAND")
RENEW = 401  # a token has ended
REFUSED = {RENEW, 403, 404, 422}
WELL = {200, 201, 202, 304}


class Load:
    """What is done meanwhile, each kind in a thread of its own, until `over`."""

    def __init__(self, handle: dict[str, Any]) -> None:
        self.handle, self.over = handle, threading.Event()
        self.done: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.sendings = [one.content() for one in islice(files.maternity(Span.before(now().date())), FILES)]

    def client(self, role: str) -> Client:
        """A client of the demonstration's."""
        mine = self.handle["clients"][role]
        return Client(self.handle["base_url"], mine["client_id"], mine["client_secret"])

    def begin(self) -> list[threading.Thread]:
        """Every thread, at work."""
        kinds = [self.send, self.export, self.page, *[self.read] * READERS, *[self.listen] * STREAMS]
        threads = [threading.Thread(target=self._go_on, args=(kind, number)) for number, kind in enumerate(kinds)]
        for one in threads:
            one.start()
        return threads

    def _go_on(self, kind: Callable[[Client, random.Random], Iterator[int]], number: int) -> None:
        """Do it again and again; count what was answered well, and what was not."""
        chance = random.Random(number)
        while not self.over.is_set():
            try:
                with self.client("supplier" if kind == self.send else "national") as client:
                    for status in kind(client, chance):
                        (self.done if status in WELL | REFUSED else self.failed)[f"{kind.__name__} {status}"] += 1
                        if self.over.wait(PAUSE):
                            return
                        if status == RENEW:
                            break
            except Exception as error:
                self.failed[f"{kind.__name__} {type(error).__name__}"] += 1
                self.over.wait(1)

    def send(self, client: Client, chance: random.Random) -> Iterator[int]:
        """The births of a trust, each time with other rows left out, or with a mistake."""
        while True:
            head, *rows = chance.choice(self.sendings).splitlines()
            kept = [row for row in rows if chance.random() < 0.98]
            if chance.random() < 0.2:
                kept[0] = kept[0].replace(b",", b",?", 3)
            receipt = client.submit(b"\n".join([head, *kept]), feed="births")
            yield 200 if receipt.status in ("accepted", "partly_accepted", "rejected") else 500
            self.over.wait(1.0)

    def read(self, client: Client, chance: random.Random) -> Iterator[int]:
        """Charts and series of this and that, some of which do not exist; half of them asked again."""
        with asking(client) as http:
            while True:
                measure, place = chance.choice(MEASURES), chance.choice((*PLACES, "NOWHERE"))
                address = chance.choice(
                    (f"/v1/charts/{measure}/{place}", f"/v1/series?measure={measure}&organisation={place}")
                )
                answer = http.get(address)
                yield answer.status_code
                if tag := answer.headers.get("ETag"):
                    yield http.get(address, headers={"If-None-Match": tag}).status_code
                yield http.get("/v1/signals?within=ENGLAND&nonsense=1").status_code

    def page(self, client: Client, chance: random.Random) -> Iterator[int]:
        """Pages of organisations and programmes, the matrix, the registry."""
        with asking(client) as http:
            while True:
                place = chance.choice(PLACES)
                for address in (f"/v1/pages/organisations/{place}", f"/v1/matrix?organisation={place}", "/v1/measures"):
                    yield http.get(address).status_code
                self.over.wait(0.5)

    def export(self, client: Client, chance: random.Random) -> Iterator[int]:
        """Every cell of a measure, in one form or the other."""
        with asking(client) as http:
            while True:
                yield http.get(
                    f"/v1/exports/{chance.choice(MEASURES)}?format={chance.choice(('csv', 'parquet'))}"
                ).status_code
                self.over.wait(1.0)

    def listen(self, client: Client, chance: random.Random) -> Iterator[int]:
        """A stream, left after some events or seconds and opened again."""
        with asking(client) as http:
            while True:
                with http.stream("GET", "/v1/stream") as answer, suppress(httpx.ReadTimeout):
                    for _ in islice(answer.iter_lines(), chance.randint(5, 200)):
                        if self.over.is_set():
                            break
                yield answer.status_code


@contextmanager
def asking(client: Client) -> Iterator[httpx.Client]:
    """A plain client with the token of ours, for as long as it is good."""
    headers = {"Authorization": f"Bearer {client._bearer()}"}
    with httpx.Client(base_url=client._http.base_url, headers=headers, timeout=20) as http:
        yield http


def main(minutes: float) -> int:
    """Run it, print what was found; the exit status."""
    with tempfile.TemporaryDirectory() as folder, demonstration(Path(folder)) as (process, handle):
        load = Load(handle)
        threads, seen = load.begin(), watched(process, minutes * 60)
        load.over.set()
        for one in threads:
            one.join(60)
    return told(seen, load)


@contextmanager
def demonstration(folder: Path) -> Iterator[tuple[psutil.Process, dict[str, Any]]]:
    """`psip demo` with its data in, as a process, and where it is."""
    command = [sys.executable, "-m", "deploy.cli", "demo", "--data-dir", str(folder), "--port", str(PORT)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as demo:
        try:
            assert demo.stdout is not None
            next(line for line in demo.stdout if "Read about it" in line)
            threading.Thread(target=demo.stdout.read, daemon=True).start()
            yield psutil.Process(demo.pid), json.loads((folder / "demo.json").read_text())
        finally:
            demo.terminate()


def watched(process: psutil.Process, seconds: float) -> list[tuple[float, float]]:
    """Seconds since the load began and the megabytes the process held, again and again."""
    began, seen = time.monotonic(), []
    while (passed := time.monotonic() - began) < seconds:
        seen.append((passed, process.memory_info().rss / 1e6))
        time.sleep(EVERY)
    return seen


def told(seen: list[tuple[float, float]], load: Load) -> int:
    """Say what was found; 1 where memory grew or an answer failed."""
    whole = seen[-1][0]
    start, middle, end = (around(seen, whole * at) for at in (WARM, 0.5, 1.0))
    half = [one for one in seen if one[0] >= whole / 2]
    slope = statistics.linear_regression(*zip(*half, strict=True)).slope * 3600
    print(f"{whole / 60:.1f} minutes: {sum(load.done.values())} answers; {dict(sorted(load.done.items()))}")
    minutes = [statistics.median(held for at, held in seen if at // 60 == one) for one in range(int(whole // 60) + 1)]
    print(f"by minute: {' '.join(f'{one:.0f}' for one in minutes)} MB")
    print(f"memory {start:.0f} MB at the start, {middle:.0f} MB in the middle, {end:.0f} MB at the end")
    print(f"in the second half {end / middle - 1:+.1%} (goal: at most {ALLOWED:+.0%}), {slope:+.0f} MB an hour")
    if load.failed:
        print(f"FAILED: {dict(load.failed)}")
    return int(end / middle - 1 > ALLOWED or bool(load.failed))


def around(seen: list[tuple[float, float]], at: float) -> float:
    """The median of a tenth of the time, that at this second is in the midst or at the end of."""
    width = seen[-1][0] / 10
    low = min(max(0.0, at - width / 2), seen[-1][0] - width)
    return statistics.median(megabytes for second, megabytes in seen if low <= second <= low + width)


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if sys.argv[1:] else 10))
