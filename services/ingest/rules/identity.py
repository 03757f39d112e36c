"""Finding what could identify a patient, so that it is refused at the door and never kept, logged or echoed.

Looked for in every cell that is not a valid value of a column declared for it: NHS numbers (ten digits, also grouped
3-3-4 by spaces or hyphens of any kind, that pass the modulus 11 check of the NHS Data Dictionary and are not one digit
repeated), UK postcodes, and dates of birth (by the name of the column, or said so in the text).
"""

import re
from collections.abc import Sequence

import numpy as np
import polars as pl

from services.ingest.rules.faults import WITHHELD, faults
from services.ingest.rules.feeds import plain

GAP = "[ \u00a0\u2007\u2009\u202f\u2010-\u2015-]"
"""What may stand between the groups of an NHS number: a space or a hyphen, of those that programs make of them too."""
_NUMBER = f"[0-9]{{3}}{GAP}{{0,3}}[0-9]{{3}}{GAP}{{0,3}}[0-9]{{4}}"
_WHOLE_NUMBER = f"^{_NUMBER}$"
_EMBEDDED_NUMBER = re.compile(rf"(?<![0-9A-Za-z])(?<![0-9]-)(?:(?i:nhs)[^0-9]{{0,12}})?({_NUMBER})(?![0-9A-Za-z])")
_OUTWARD = "(?:GIR|[A-PR-UWYZ](?:[0-9]{1,2}|[A-HK-Y][0-9][0-9ABEHMNPRVWXY]?|[0-9][A-HJKPSTUW]))"
_INWARD = "[0-9][ABD-HJLNP-UW-Z]{2}"


def _postcode(space: str) -> str:
    upper = rf"\b{_OUTWARD}{space}{_INWARD}\b"
    return f"(?:{upper}|{upper.lower()})"


_POSTCODE = _postcode(r"[ \x{a0}]{0,2}")
_SPACED_POSTCODE = _postcode(r"[ \x{a0}]{1,2}")
_BIRTH_WORDS = (
    r"(?i)\b(?:dob|d\.o\.b\.?|date of birth|birth date|born)\b[^0-9A-Za-z]{0,5}(?:(?:is|was|on)\b[^0-9A-Za-z]{0,3})*"
    r"(?:[0-9]{1,4}[/. -][0-9]{1,2}[/. -][0-9]{2,4}|[0-9]{1,2}(?:st|nd|rd|th)? [a-z]{3,9},? [0-9]{4})"
)
_WEIGHTS = np.arange(10, 1, -1)
_DIGIT = "[0-9]"  # without one nothing identifies
_PROSE_WORDS = 12

_IDENTIFYING_NAMES = frozenset(
    {
        *("dob", "dateofbirth", "birthdate", "dateofbirthpatient", "patientdob", "patientdateofbirth"),
        *("personbirthdate", "motherdob", "motherdateofbirth", "babydob", "babydateofbirth", "residentdob"),
        *("forename", "forenames", "firstname", "givenname", "surname", "lastname", "familyname", "fullname"),
        *("patientname", "residentname", "mothername", "babyname", "personfullname", "personname"),
        *("address", "patientaddress", "addressline1", "addressline2", "homeaddress", "telephone", "email"),
        *("postcode", "patientpostcode", "postcodeofusualaddress"),
    }
)


def names_a_person(column: str) -> bool:
    """Whether a column's name alone says that it identifies somebody (date of birth, surname, address, ...)."""
    return plain(column) in _IDENTIFYING_NAMES


def nhs_numbers(digits: pl.Series) -> pl.Series:
    """Which cells of exactly ten digits pass the modulus 11 check and are not one digit repeated (others false)."""
    ten = digits.str.contains(r"^[0-9]{10}$").fill_null(value=False)
    result = np.zeros(len(digits), dtype=bool)
    places = np.flatnonzero(ten.to_numpy())
    if len(places):
        text = "".join(digits.filter(ten)).encode()
        table = np.frombuffer(text, np.uint8).reshape(-1, 10).astype(np.int64) - ord("0")
        check = 11 - (table[:, :9] @ _WEIGHTS) % 11
        check[check == 11] = 0
        result[places] = (check == table[:, 9]) & (table != table[:, :1]).any(axis=1)
    return pl.Series(result)


def may_identify(cells: pl.Expr) -> pl.Expr:
    """A quick look: cells without any such pattern hold nothing that `identifiable` finds."""
    return cells.str.contains(_NUMBER) | cells.str.contains(_POSTCODE) | cells.str.contains(_BIRTH_WORDS)


def identifiable(cells: pl.Series, *, record_ids: bool = False) -> pl.Series:
    """Which cells hold an NHS number, a postcode or a date of birth.

    In a column of record identifiers (`record_ids`) a postcode counts only when written with its space, because
    identifiers such as B12AB look like one without.
    """
    if not cells.str.contains(_DIGIT).any():
        return pl.Series(np.zeros(len(cells), bool))
    postcode = _SPACED_POSTCODE if record_ids else _POSTCODE
    whole = cells.str.contains(_WHOLE_NUMBER).fill_null(value=False)
    found = (cells.str.contains(postcode) | cells.str.contains(_BIRTH_WORDS)).fill_null(value=False)
    if whole.any():
        bare = cells.set(~whole, None).str.replace_all(GAP, "")
        found = found | nhs_numbers(bare)
    embedded = cells.str.contains(_NUMBER).fill_null(value=False) & ~whole
    return found | _embedded(cells, embedded) if embedded.any() else found


def _embedded(cells: pl.Series, rows: pl.Series) -> pl.Series:
    """Which of the chosen cells hold a valid NHS number among other text."""
    texts = cells.filter(rows).unique()
    numbers = pl.DataFrame(
        [(text, re.sub(GAP, "", number)) for text in texts for number in _EMBEDDED_NUMBER.findall(text)],
        schema={"text": pl.String, "number": pl.String},
        orient="row",
    )
    guilty = numbers.filter(nhs_numbers(numbers["number"]))["text"].unique()
    return cells.is_in(guilty.implode()).fill_null(value=False) & rows


def prose(cells: pl.Series) -> pl.Series:
    """Which cells are free text: more than twelve words."""
    return (cells.str.count_matches(r"\s+") >= _PROSE_WORDS).fill_null(value=False)


def redacted(found: pl.Series) -> pl.Series:
    """What a fault or a kept file may show of these cells: what identifies is withheld, and so is prose."""
    shown = found.set(identifiable(found), WITHHELD)
    wordy = ((shown.str.count_matches(r"\s+") >= 4) | (shown.str.len_chars() > 40)).fill_null(value=False)
    if not wordy.any():
        return shown
    lengths = pl.lit("[text of ") + shown.str.len_chars().cast(pl.String) + pl.lit(" characters]")
    return pl.select(pl.when(wordy).then(lengths).otherwise(shown)).to_series()


def found_in(lines: Sequence[int], texts: Sequence[str]) -> pl.DataFrame:
    """Faults for lines whose text, which no column takes up, identifies somebody."""
    guilty = identifiable(pl.Series(texts, dtype=pl.String))
    return faults(pl.Series(lines, dtype=pl.Int64).filter(guilty), "identifiable-data", found=WITHHELD)
