"""Sending the demonstration's data through the gateway, with the client that a supplier would use."""

import hashlib
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from datetime import date
from typing import Any, NamedTuple

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from deploy.demo import files, stories
from deploy.demo.files import Sending
from deploy.demo.organisations import homes
from deploy.demo.span import Span
from psip import Client, Receipt

ClientFor = Callable[[str], Client]
"""Gives the client of a role (`roles.ROLES`)."""
PATIENCE = 60.0
PAUSE = 0.1
AT_ONCE = 2
"""Files on their way at once: one is checked while the next is generated and sent."""


class Sent(NamedTuple):
    """A file that was sent, what became of it, and whether that is what should."""

    name: str
    receipt: Receipt
    as_planned: bool


class Notice(NamedTuple):
    """A change idea to draw on charts, by whom it is recorded."""

    role: str
    document: dict[str, Any]


def bar(out: Console) -> Progress:
    """The progress bar for `load`: a line for each kind of file."""
    return Progress(
        SpinnerColumn(), TextColumn("{task.description:<24}"), BarColumn(), MofNCompleteColumn(), TextColumn("rows"),
        TimeElapsedColumn(), console=out,
    )  # fmt: skip


def load(client_for: ClientFor, until: date, progress: Progress) -> list[Sent]:
    """Register the care homes and send everything up to a day; a second call changes nothing.

    Births go first, so that the homes are known everywhere by the time that their weeks are sent. Raises PsipProblem
    where the platform refuses a file, TimeoutError where it does not come to know the homes.
    """
    span = Span.before(until)
    with ExitStack() as stack:
        clients = _Clients(client_for, stack)
        register_homes(clients["national"])
        _annotate(clients, span)
        lines = zip(("Births", "Figures counted", "Care homes"), files.expected(span), strict=True)
        births, counted, weeks = (progress.add_task(name, total=rows) for name, rows in lines)
        sent = [*_send_all(files.maternity(span), clients, progress, births)]
        sent += _send_all(files.counted(span), clients, progress, counted)
        _await_homes(clients["supplier"], span)
        sent += _send_all(files.care_homes(span), clients, progress, weeks)
    return sent


class _Clients(dict[str, Client]):
    """The clients by role, made when they are first needed and closed with the stack."""

    def __init__(self, client_for: ClientFor, stack: ExitStack) -> None:
        super().__init__()
        self._client_for, self._stack = client_for, stack

    def __missing__(self, role: str) -> Client:
        client = self[role] = self._stack.enter_context(self._client_for(role))
        return client


def register_homes(client: Client) -> None:
    """Tell the registry of the invented care homes."""
    client.post("/v1/organisations", [home.registered() for home in homes()], reason="the demonstration's care homes")


def notices(span: Span) -> list[Notice]:
    """The change ideas of the stories: who records each, and what."""
    found = []
    for shift in stories.SHIFTS:
        if shift.idea is not None:
            weekly = shift.organisation.startswith("VN")
            period = span.week(shift.back) if weekly else span.month(shift.back)
            document = {
                "kind": "change_idea",
                "organisation": shift.organisation,
                "measure": shift.measure,
                "on": period.start.isoformat(),
                "text": shift.idea,
            }
            found.append(Notice("psc", document))
    return found


def _annotate(clients: Mapping[str, Client], span: Span) -> None:
    for role, document in notices(span):
        where = {name: document[name] for name in ("organisation", "measure")}
        there = clients[role].get("/v1/annotations", **where)["items"]
        if document["text"] not in {one["text"] for one in there}:
            clients[role].post("/v1/annotations", document)


def _send_all(
    sendings: Iterable[Sending], clients: Mapping[str, Client], progress: Progress, line: TaskID
) -> Iterator[Sent]:
    """Send files in order, `AT_ONCE` under way; one that corrects another goes when all before it have arrived."""
    under_way: deque[Future[Sent]] = deque()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for sending in sendings:
            while len(under_way) >= (1 if sending.corrects else AT_ONCE):
                yield _arrived(under_way.popleft(), progress, line)
            under_way.append(pool.submit(_send, clients[sending.role], sending))
            del sending  # it holds its rows
        while under_way:
            yield _arrived(under_way.popleft(), progress, line)
    progress.update(line, total=progress.tasks[line].completed)


def _arrived(one: "Future[Sent]", progress: Progress, line: TaskID) -> Sent:
    sent = one.result()
    progress.advance(line, sent.receipt.rows["received"])
    return sent


def _send(client: Client, sending: Sending) -> Sent:
    content = sending.content()
    key = f"demo-{sending.name}-{hashlib.sha256(content).hexdigest()[:16]}"
    receipt = client.wait(client.submit(content, feed=sending.feed, idempotency_key=key))
    became = (receipt.status, receipt.rows["rejected"])
    return Sent(sending.name, receipt, became == (sending.status, sending.rejected))


def _await_homes(client: Client, span: Span) -> None:
    """Return when ingest has heard of the last home; rows of homes it does not know would have to wait."""
    last = homes()[-1]
    row = {"cqc_location_id": last.cqc, "week_ending": span.weeks[-1].end, "beds_registered": last.beds,
           "beds_occupied": 0, "resident_days": 0, "falls": 0, "falls_with_injury": 0, "med_errors": 0}  # fmt: skip
    ends = time.monotonic() + PATIENCE
    while client.submit([row], feed="care-home-weekly", dry_run=True).rows["waiting"]:
        if time.monotonic() > ends:
            raise TimeoutError("the platform does not come to know the care homes: are its workers running?")
        time.sleep(PAUSE)
