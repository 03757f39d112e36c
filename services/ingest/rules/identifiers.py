"""What may be kept of a file as it was sent: everything but what identifies a patient."""

import polars as pl

from services.ingest.rules.blocks import LINE
from services.ingest.rules.faults import WITHHELD
from services.ingest.rules.feeds import Feed
from services.ingest.rules.headers import OURS, match_header
from services.ingest.rules.identity import identifiable, names_a_person, prose
from services.ingest.rules.pseudonyms import SEALABLE, sealed


def redact(frame: pl.DataFrame, feed: Feed, *, judged_clean: bool = False) -> pl.DataFrame:
    """What may be kept of rows as sent: the same columns and lines with identifying cells as `[withheld]`.

    Declared identifiers, fields that the feed does not keep, columns named after a person, and cells with an NHS
    number, a postcode, a date of birth or (in columns that are not part of the feed) free text are withheld.
    `judged_clean` says that the rules found none of the latter in these rows, which saves looking again.
    """
    header = match_header(feed, frame.columns)
    columns = {**header.columns, **header.repeated}
    return pl.DataFrame(
        [_kept(frame[name], feed, columns.get(name), judged_clean) for name in frame.columns if name not in OURS]
        + [frame[LINE]]
    )


def _kept(cells: pl.Series, feed: Feed, field_name: str | None, judged_clean: bool) -> pl.Series:
    field = feed.by_name.get(field_name or "")
    if field is not None and (field.identifier is not None or not field.keep):
        return cells.set(cells.is_not_null(), WITHHELD)
    if judged_clean:
        return cells
    if field is None:
        if names_a_person(cells.name):
            return cells.set(cells.is_not_null(), WITHHELD)
        return cells.set(identifiable(cells) | prose(cells), WITHHELD)
    if field.type == "organisation":
        return cells.set(identifiable(cells, record_ids=True), WITHHELD)
    return cells.set(identifiable(cells, record_ids=field.name in feed.key), WITHHELD)


def with_seals(kept: pl.DataFrame, pseudonyms: pl.DataFrame, feed: Feed) -> pl.DataFrame:
    """Redacted rows in which declared identifiers stand as sealed pseudonyms, so that a mended row is still the record.

    `pseudonyms` has the lines of `kept`, in its order, and the pseudonyms of its identifiers; null stays withheld.
    """
    columns = match_header(feed, kept.columns).columns
    names = {sent: name for sent, name in columns.items() if feed.by_name[name].identifier in SEALABLE}
    return kept.with_columns(
        pl.coalesce(sealed(pseudonyms[name]), kept[sent]).alias(sent)
        for sent, name in names.items()
        if name in pseudonyms.columns
    )
