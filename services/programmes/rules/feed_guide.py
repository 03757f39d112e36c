"""A feed explained to people: one page of HTML, with everything that a file's sender may need to look up."""

from collections.abc import Iterable, Mapping
from html import escape
from typing import Any

from services.programmes.rules.feed_documents import Spec, codes_of, is_needed

_KINDS: Mapping[str, str] = {
    "text": "text",
    "code": "a code",
    "integer": "a whole number",
    "decimal": "a number",
    "boolean": "true or false",
    "date": "a date",
    "datetime": "a date and time",
    "period": "a period",
    "organisation": "an organisation's code",
}
_MODES: Mapping[str, str] = {
    "replace": "A file is the whole return of each organisation and period in it: it replaces the one before.",
    "merge": "A file adds to and changes what was sent before, record by record; nothing is lost by leaving it out.",
}


def html_guide(spec: Spec) -> str:
    """The guide of a feed as an HTML document. Everything from the specification is escaped."""
    title = escape(f"{spec['title']}: how to send it")
    return "\n".join(
        [
            "<!doctype html>",
            f'<html lang="en-GB"><head><meta charset="utf-8"><title>{title}</title>',
            '<meta name="viewport" content="width=device-width, initial-scale=1"></head><body><main>',
            f"<h1>{title}</h1>",
            f"<p>{escape(spec['description'])}</p>",
            f"<p>Feed <code>{escape(spec['id'])}</code>, version {escape(spec['version'])}. {_MODES[spec['mode']]}</p>",
            _unverified(spec),
            "<h2>Columns</h2>",
            "<p>Columns may come in any order, under any of the names given.</p>",
            _fields(spec),
            *(["<h2>Rules between columns</h2>", _rules(spec["rule"])] if spec.get("rule") else []),
            *_code_lists(spec),
            "</main></body></html>",
        ]
    )


def _unverified(entry: Mapping[str, Any]) -> str:
    source = f"Source: {escape(entry['source'])}." if entry.get("source") else ""
    return f"<p>{source}{' Not all of this has been verified.' if entry.get('unverified') else ''}</p>"


def _fields(spec: Spec) -> str:
    heads = ("Column", "Needed", "What it holds", "Example", "Also known as")
    rows = (
        (
            f'<code id="{escape(field["name"])}">{escape(field["name"])}</code>',
            escape(_need(field)),
            f"{escape(_holds(field))}. {escape(_words(field))}{_codes_note(field, spec)}",
            f"<code>{escape(str(field['example']))}</code>",
            escape(", ".join(field.get("aliases", ()))),
        )
        for field in spec["field"]
    )
    return _table(heads, rows)


def _need(field: Mapping[str, Any]) -> str:
    need = "yes" if is_needed(field) else "asked for" if field.get("recommended") else "no"
    return f"{need}; {field['default']} where the column is missing" if "default" in field else need


def _holds(field: Mapping[str, Any]) -> str:
    kind = _KINDS[field["type"]]
    low, high = field.get("min"), field.get("max")
    if field["type"] == "text":
        return kind if high is None else f"{kind}, at most {high} characters"
    if low is not None and high is not None:
        return f"{kind}, {low} to {high}"
    return f"{kind}, {low} or more" if low is not None else kind


def _words(field: Mapping[str, Any]) -> str:
    said = [field["description"], field.get("hint", "")]
    if field.get("identifier"):
        said.append("It identifies a person: it is made a pseudonym or dropped at the door.")
    if field.get("unverified"):
        said.append("Unverified.")
    return " ".join(part for part in said if part)


def _codes_note(field: Mapping[str, Any], spec: Spec) -> str:
    if "codes" in field or "each_of" in field:
        name = escape(field.get("codes") or field["each_of"])
        several = ", with a bar between" if "each_of" in field else ""
        return f' Codes{several}: <a href="#{name}">{name}</a>.'
    codes = codes_of(field, spec)
    return f" One of: {escape(', '.join(codes))}." if codes else ""


def _rules(rules: Iterable[Mapping[str, Any]]) -> str:
    rows = (
        (
            escape(", ".join(rule["columns"])),
            escape(rule["expected"]),
            "a warning" if rule.get("severity") == "warning" else "the row is refused",
            escape(rule["hint"]),
        )
        for rule in rules
    )
    return _table(("Columns", "Expected", "Otherwise", "What to do"), rows)


def _code_lists(spec: Spec) -> list[str]:
    return [
        f'<h2 id="{escape(name)}">{escape(name)}</h2>'
        + _table(
            ("Code", "Meaning"), ((f"<code>{escape(code)}</code>", escape(label)) for code, label in codes.items())
        )
        for name, codes in spec.get("code_lists", {}).items()
    ]


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table of cells that are HTML already."""
    head = "".join(f'<th scope="col">{escape(one)}</th>' for one in heads)
    body = "\n".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table>"
