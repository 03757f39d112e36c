"""`psip submit`: send a file, watch it go, and read what became of it."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

from deploy import credentials
from psip import PsipProblem, Receipt
from psip.client import Mode

ACCEPTED, FAILED, PARTLY, REJECTED = 0, 1, 3, 4
"""Exit statuses; 2 is that of a command that was not written right."""
STATUSES: Mapping[str, int] = {"accepted": ACCEPTED, "partly_accepted": PARTLY, "rejected": REJECTED}
MOST_LINES = 8  # of the lines of a fault that are named
_COUNTS = ("accepted", "unchanged", "duplicate", "waiting", "rejected")


def submit(
    feed: Annotated[str, typer.Option(help="The feed the rows are of, like births.")],
    file: Annotated[
        Path | None, typer.Argument(help="A .csv, .json, .ndjson, .parquet or .xlsx; .gz and .zst too.")
    ] = None,
    organisation: Annotated[str | None, typer.Option(help="Whose rows these are, where they do not say.")] = None,
    period: Annotated[str | None, typer.Option(help="The period of rows that do not say theirs.")] = None,
    mode: Annotated[Mode | None, typer.Option(help="replace or merge; by default the feed's.")] = None,
    feed_version: Annotated[str | None, typer.Option(help="By default the one its columns are of.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check everything and change nothing.")] = False,
    atomic: Annotated[bool, typer.Option("--atomic", help="Land every row or none.")] = False,
    final: Annotated[bool, typer.Option("--final", help="Mark the returns as final.")] = False,
    nil: Annotated[bool, typer.Option("--nil", help="There was nothing to report; no file.")] = False,
    idempotency_key: Annotated[str | None, typer.Option(help="The same key and file give the same receipt.")] = None,
    content_type: Annotated[str | None, typer.Option(help="What the file is, where its name does not tell.")] = None,
    wait: Annotated[int, typer.Option(help="Seconds to wait for the platform to finish.", min=0)] = 600,
    role: Annotated[str | None, typer.Option("--as", help="One of the clients of the demonstration.")] = None,
    data_dir: Annotated[Path, typer.Option(help="The folder of the demonstration.")] = Path(".psip"),
) -> None:
    """Send rows of a feed, and read the receipt.

    The client is that of PSIP_URL, PSIP_CLIENT_ID and PSIP_CLIENT_SECRET, or one of the demonstration's.

    The exit status is 0 when every row was accepted, 3 when some were, 4 when none was, and 1 when it was not done.
    """
    if (file is None) != nil:
        raise typer.BadParameter("name a file, or say --nil")
    out = Console(highlight=False)
    with _refusals_said(), credentials.client(role, data_dir) as client, _progress(file) as sent:
        receipt = client.submit(
            file,
            feed=feed,
            organisation=organisation,
            period=period,
            mode=mode,
            feed_version=feed_version,
            dry_run=dry_run,
            atomic=atomic,
            final=final,
            idempotency_key=idempotency_key,
            content_type=content_type,
            sent=sent,
        )
        receipt = client.wait(receipt, seconds=wait)
    show(receipt, out)
    raise typer.Exit(STATUSES.get(receipt.status, FAILED))


@contextmanager
def _refusals_said() -> Iterator[None]:
    """What the platform refuses, and a platform that is not there, in plain words and a status."""
    try:
        yield
    except PsipProblem as problem:
        places = "".join(
            f"\n  {one.get('parameter') or one.get('pointer')}: {one['message']}" for one in problem.errors
        )
        _stop(f"{problem}{places}")
    except httpx.TransportError as error:
        _stop(f"the platform cannot be reached: {error}")
    except (OSError, ValueError) as error:
        _stop(str(error))


def _stop(words: str) -> None:
    typer.echo(words, err=True)
    raise typer.Exit(FAILED)


@contextmanager
def _progress(file: Path | None) -> Iterator[Callable[[int], None]]:
    """A bar of the bytes that have gone, on a terminal; then a sign that the platform is at work."""
    columns = (SpinnerColumn(), TextColumn("{task.description:<9}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    size = file.stat().st_size if file else None
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("sending", total=size)

        def sent(count: int) -> None:
            bar.update(task, completed=count, description="sending" if count != size else "checking")

        yield sent


def show(receipt: Receipt, out: Console) -> None:
    """Print a receipt for people: what became of the rows, and every fault with its place and its remedy."""
    told = receipt.document
    dry = " (a dry run: nothing was changed)" if told["dry_run"] else ""
    out.print(Text(f"{receipt.status.replace('_', ' ')}{dry}"))
    out.print(Text(f"  receipt   {receipt.id}{' (given before)' if receipt.replayed else ''}"))
    counted = ", ".join(f"{receipt.rows[name]:,} {name}" for name in _COUNTS if receipt.rows[name])
    out.print(Text(f"  rows      {receipt.rows['received']:,} received{': ' if counted else ''}{counted}"))
    for one in receipt.returns:
        kind = "" if one["kind"] == "rows" else f"{one['kind']}, "
        whose = f"{one['organisation']} {one['period']}, version {one['version']}"
        out.print(Text(f"  return    {whose}: {kind}{one['rows']:,} rows, {one['status']}"))
    for fault in receipt.faults:
        out.print(Text("\n" + "\n".join(_said(fault))))
    shown = sum(fault["count"] for fault in receipt.faults)
    if shown < told["faults_total"]:
        out.print(Text(f"\n{told['faults_total'] - shown:,} more faults: {told['links']['faults']}"))


def _said(fault: Mapping[str, Any]) -> Iterator[str]:
    """The lines about one fault."""
    column = f", column {fault['column']}" if fault["column"] else ""
    yield f"{fault['severity']}: {fault['code']}, {_lines(fault['rows'], fault['count'])}{column}"
    for name in ("found", "expected", "hint", "example"):
        if fault.get(name):
            yield f"  {name:<9} {fault[name]}"


def _lines(rows: list[int], count: int) -> str:
    """`line 3`, or `lines 3, 17 and 10 more`."""
    if not rows:
        return "the file"
    named = ", ".join(map(str, rows[:MOST_LINES]))
    more = count - len(rows[:MOST_LINES])
    return f"line{'s' if count > 1 else ''} {named}{f' and {more:,} more' if more > 0 else ''}"
