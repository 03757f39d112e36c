"""A receipt as a page that a person can read and print. Every value is escaped; nothing on it runs."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'", "Vary": "Accept"}
_LONDON = ZoneInfo("Europe/London")
_STATUS = {
    "accepted": "Every row was accepted or was known already.",
    "partly_accepted": "Some rows were rejected. The others have landed.",
    "rejected": "Every row was rejected. Nothing has landed.",
    "withdrawn": "This submission was withdrawn. Its figures no longer count.",
    "failed": "The submission failed. Nothing has landed.",
    "processing": "The submission is being dealt with.",
}
_STYLE = """
body { font: 16px/1.5 Arial, sans-serif; color: #212b32; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; margin: 0 0 1.5rem; }
caption { text-align: left; font-weight: bold; font-size: 1.2rem; padding: .5rem 0; }
th, td { border-bottom: 1px solid #aeb7bd; padding: .4rem .6rem .4rem 0; text-align: left; vertical-align: top; }
td.number { text-align: right; font-variant-numeric: tabular-nums; }
code { overflow-wrap: anywhere; }
@media print { body { margin: 0; max-width: none; font-size: 11pt; } a { color: inherit; text-decoration: none; } }
"""


def page(receipt: Mapping[str, Any]) -> str:
    """The receipt as an HTML document."""
    title = f"Receipt {receipt['id']}"
    body = "\n".join(
        [
            f"<h1>Receipt for {_said(receipt['feed'])}</h1>",
            f"<p>{_said(_STATUS.get(receipt['status'], receipt['status']))}</p>",
            _facts(receipt),
            _numbers("What became of the rows", receipt["rows"]),
            _numbers("What changed, in records", receipt["effect"]),
            _faults(receipt["faults"], receipt["faults_total"]),
            _returns(receipt["returns"], receipt["returns_total"]),
            _seal(receipt),
        ]
    )
    return (
        f'<!doctype html>\n<html lang="en-GB">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_said(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _said(value: Any) -> str:
    if value is None or value == "":
        return "–"
    if isinstance(value, datetime):
        return escape(f"{value.astimezone(_LONDON):%-d %B %Y at %H:%M:%S} (London)")
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return escape(str(value))


def _facts(receipt: Mapping[str, Any]) -> str:
    told = (
        ("Receipt number", receipt["id"]),
        ("Feed", f"{receipt['feed']}, version {receipt['feed_version']}"),
        ("Sent by", receipt["submitted_by"]),
        ("For", receipt["organisation"]),
        ("Received", receipt["received_at"]),
        ("Completed", receipt["completed_at"]),
        ("Withdrawn", receipt["withdrawn_at"]),
        ("Repeats", receipt["repeat_of"]),
        ("Size in bytes", receipt["bytes"]),
    )
    rows = "".join(f'<tr><th scope="row">{_said(name)}</th><td>{_said(value)}</td></tr>' for name, value in told)
    return f"<table><caption>The submission</caption><tbody>{rows}</tbody></table>"


def _numbers(caption: str, counts: Mapping[str, int]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{_said(name.capitalize())}</th><td class="number">{_said(count)}</td></tr>'
        for name, count in counts.items()
    )
    return f"<table><caption>{_said(caption)}</caption><tbody>{rows}</tbody></table>"


def _faults(groups: Sequence[Mapping[str, Any]], total: int) -> str:
    if not groups:
        return "<h2>Faults</h2><p>None were found.</p>"
    rows = (
        (one["severity"], one["column"], one["code"], one["found"], one["expected"], one["hint"], one["count"],
         ", ".join(map(str, one["rows"])))
        for one in groups
    )  # fmt: skip
    heads = ("Severity", "Column", "Fault", "Found", "Expected", "How to mend it", "Count", "First lines")
    return _table(f"Faults, {total:,} in all", heads, rows)


def _returns(made: Sequence[Mapping[str, Any]], total: int) -> str:
    if not made:
        return "<h2>Returns</h2><p>No return was changed.</p>"
    rows = (
        (one["organisation"], one["period"], one["version"], one["status"], one["kind"], one["rows"]) for one in made
    )
    heads = ("Organisation", "Period", "Version", "Status", "Kind", "Rows")
    return _table(f"Returns, {total:,} in all", heads, rows)


def _table(caption: str, heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    head = "".join(f'<th scope="col">{_said(name)}</th>' for name in heads)
    body = "".join("<tr>" + "".join(f"<td>{_said(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><caption>{_said(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _seal(receipt: Mapping[str, Any]) -> str:
    told = (
        ("SHA-256 of the file as sent", receipt["sha256"]),
        ("SHA-256 of this receipt", receipt["receipt_sha256"]),
        ("SHA-256 of the receipt before it", receipt["previous_receipt_sha256"]),
    )
    rows = "".join(f'<tr><th scope="row">{_said(n)}</th><td><code>{_said(v)}</code></td></tr>' for n, v in told)
    return f"<table><caption>Seals</caption><tbody>{rows}</tbody></table>"
