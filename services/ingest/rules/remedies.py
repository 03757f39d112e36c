"""Every fault code with what it means and what to do, in words for the people who send files.

`ROW_FAULTS` are found in rows and columns, `UNREADABLE` stop a file. A feed adds codes of its own with its rules.
"""

from typing import NamedTuple


class Remedy(NamedTuple):
    """What a code means, and how to put it right."""

    meaning: str
    remedy: str


UNREADABLE: dict[str, Remedy] = {
    "empty-file": Remedy("The file has nothing in it.", "Check that the export finished, then send it again."),
    "header-only": Remedy(
        "The file has column names and no rows.",
        "If there was nothing to report, send a nil return; otherwise export the rows again.",
    ),
    "header-not-recognised": Remedy(
        "None of the column names belong to this feed.",
        "The first line must hold column names: start from the template of the feed.",
    ),
    "not-text": Remedy(
        "The file is not text.", "Export it as CSV (UTF-8), or name the right content type for what it is."
    ),
    "unknown-format": Remedy(
        "Files of this kind are not accepted.",
        "Send text/csv, application/json, application/x-ndjson, Parquet or XLSX, and say so in Content-Type.",
    ),
    "wrong-format": Remedy(
        "The content is not what its Content-Type says.", "Send the Content-Type that matches the file."
    ),
    "unknown-compression": Remedy(
        "The content encoding is not known.", "Use Content-Encoding gzip or zstd, or send the file as it is."
    ),
    "broken-compression": Remedy(
        "The compressed file is damaged or was cut off.", "Compress it again and check that the upload finishes."
    ),
    "cut-off": Remedy("The file ends in the middle of a row.", "Check that the upload finished, then send it again."),
    "not-json": Remedy("The file is not valid JSON.", "Send an array of row objects, as the schema of the feed shows."),
    "row-too-long": Remedy(
        "A row is longer than 4 MB.", "Look for a quotation mark that is never closed, or for missing line ends."
    ),
    "quote-not-closed": Remedy(
        "A quotation mark is opened and never closed.", "Close it, or write a quotation mark inside a cell twice."
    ),
    "not-parquet": Remedy("The file is not readable Parquet.", "Write the Parquet file again and send all of it."),
    "nested-columns": Remedy("A Parquet column holds lists or records.", "Send one plain value in each cell."),
    "not-a-workbook": Remedy("The file is not a readable XLSX workbook.", "Save it again as .xlsx without a password."),
    "too-many-columns": Remedy(
        "The file has more columns than any feed.", "Send rows with the columns of the feed: start from its template."
    ),
    "too-large": Remedy(
        "The file is too large for this format.", "Send it as CSV or NDJSON, which are read as they arrive."
    ),
}

ROW_FAULTS: dict[str, Remedy] = {
    "ragged-row": Remedy(
        "The row has more or fewer cells than there are columns.",
        'Put text that holds commas in "quotation marks" and check for missing cells.',
    ),
    "unreadable-characters": Remedy("The row holds characters that cannot be read.", "Save the file as UTF-8."),
    "invalid-json-row": Remedy("The line is not valid JSON.", "Write one whole JSON object on each line."),
    "not-an-object": Remedy("The row is not a JSON object.", 'Write each row as {"column": value, ...}.'),
    "nested-value": Remedy("A value is a list or an object.", "Send one plain value for each column."),
    "older-extract": Remedy(
        "A newer extract of this return has been received already.", "Send the newest extract, or leave it as it is."
    ),
    "not-atomic": Remedy(
        "The submission was to land whole or not at all, and some rows are wrong.", "Mend those rows and send it again."
    ),
    "too-many-rejected": Remedy(
        "More rows are wrong than this feed accepts in one file.", "Mend the faults listed and send the file again."
    ),
    "older-version": Remedy(
        "The file was read by a version of the feed that has a successor.",
        "Move to the newest version before the one after it is published.",
    ),
    "windows-1252": Remedy(
        "Some text was read as Windows-1252, because it is not UTF-8.", "Save the file as UTF-8 to be sure of accents."
    ),
    "utf-16": Remedy("The file was read as UTF-16.", "Save the file as UTF-8 CSV next time."),
    "other-delimiter": Remedy("Cells are not separated by commas.", "Save the file with commas next time."),
    "comment-lines": Remedy("Lines before the header were passed over.", "Begin the file with its column names."),
    "blank-row": Remedy("A row without any value was passed over.", "Delete empty rows at the end of the sheet."),
    "unknown-column": Remedy(
        "The column does not belong to this feed and was not kept.", "Rename it as in the template, or leave it out."
    ),
    "duplicate-column": Remedy("Two columns have the same meaning; the first was used.", "Leave one of them out."),
    "missing-column": Remedy("A column that every row needs is not in the file.", "Add the column and its values."),
    "default-used": Remedy("The column is not in the file; a usual value was taken.", "Add the column to be sure."),
    "recommended-column": Remedy("A column that should be sent is not in the file.", "Add it when your system can."),
    "missing-value": Remedy("A value that is needed is blank.", "Fill it in."),
    "not-an-integer": Remedy("The value is not a whole number.", "Write digits only; leave it blank if not known."),
    "not-a-number": Remedy("The value is not a number.", "Write digits and a full stop; leave it blank if not known."),
    "thousands-separator": Remedy("The number has separators in it.", "Write 1234, not 1,234."),
    "out-of-range": Remedy("The number is outside what is possible.", "Check the value and its unit."),
    "not-yes-or-no": Remedy("The value is neither yes nor no.", "Write true or false."),
    "not-in-code-list": Remedy("The code is not in the list.", "Use a code from the list in the guide of the feed."),
    "too-long": Remedy("The text is too long.", "Shorten it."),
    "excel-error": Remedy("The cell holds a spreadsheet error.", "Correct the formula, or leave the cell blank."),
    "excel-scientific": Remedy(
        "A spreadsheet has rounded a long number.", "Format the column as text before typing or pasting, then export."
    ),
    "excel-serial-date": Remedy("A spreadsheet has sent a date as a number.", "Format the column as yyyy-mm-dd."),
    "not-a-date": Remedy("The value is not a date.", "Write yyyy-mm-dd."),
    "month-first-date": Remedy("The date has the month before the day.", "Write yyyy-mm-dd."),
    "ambiguous-date": Remedy(
        "Day and month may have been exchanged: the column mixes ways of writing dates.",
        "Write every date of the column as yyyy-mm-dd.",
    ),
    "mixed-dates": Remedy(
        "The column mixes ways of writing dates, and rows already read may have day and month exchanged.",
        "Write every date of the column as yyyy-mm-dd.",
    ),
    "not-a-datetime": Remedy("The value is not a date and time.", "Write yyyy-mm-ddThh:mm."),
    "wrong-weekday": Remedy("The date falls on the wrong day of the week.", "Write the day the hint names."),
    "time-missing": Remedy("The value has a date and no time.", "Add the time of day: yyyy-mm-ddThh:mm."),
    "not-a-period": Remedy("The value is not a period.", "Write it like 2026-10 or 2026-W41."),
    "no-period": Remedy("The row does not say which period it belongs to.", "Fill in the period, or name it once."),
    "wrong-period-grain": Remedy("The period is longer or shorter than this feed's.", "Use periods of the feed."),
    "period-in-future": Remedy("The period has not begun yet.", "Check the year."),
    "not-an-organisation-code": Remedy("The value cannot be an organisation code.", "Write the ODS code, like RGT."),
    "no-organisation": Remedy("The row does not say whose it is.", "Fill in the organisation, or name it once."),
    "unknown-organisation": Remedy(
        "The organisation is not known yet; the row waits and lands by itself when it is.",
        "Check the code; if it is new and right there is nothing to do.",
    ),
    "organisation-closed": Remedy("The organisation had closed before this period.", "Use the successor's code."),
    "organisation-closed-recently": Remedy(
        "The organisation had closed before this period; the row was kept.", "Move to the successor's code soon."
    ),
    "organisation-not-open": Remedy("The organisation opened after this period.", "Use the code of that time."),
    "not-yours": Remedy("You may not send data for this organisation.", "Check the code, or ask for access."),
    "unknown-measure": Remedy(
        "The measure is not known yet; the row waits and lands by itself when it is.",
        "Check the measure's name; if it is new and right there is nothing to do.",
    ),
    "more-events-than-denominator": Remedy(
        "A proportion cannot have more events than its denominator.", "Check both counts; they may be exchanged."
    ),
    "news2-total-differs": Remedy(
        "The NEWS2 total sent is not what its parameters score; the row was kept as sent.",
        "Check the parameters and the SpO2 scale against the total.",
    ),
    "news2-red-score-differs": Remedy(
        "Whether one parameter scored 3 is not what the parameters say; the row was kept as sent.",
        "Say true where any one parameter scores 3.",
    ),
    "not-a-stratum": Remedy("The stratum is not written as name=value.", "Write it like imd_quintile=1, or blank."),
    "conflicting-duplicate": Remedy(
        "An earlier row of this file is the same record with other values.", "Keep the row that is right."
    ),
    "identifiable-data": Remedy(
        "The row holds what could identify a patient, where it must not be. It was not kept.",
        "Remove the NHS number, postcode or date of birth from this column and send the row again.",
    ),
    "identifiable-beside-rows": Remedy(
        "Beside the rows (in a column name, a note above them, another sheet or the like) stands what could identify a "
        "patient. Only the rows were kept.",
        "Send a file of nothing but rows.",
    ),
    "unexpected-free-text": Remedy(
        "A column that is not part of this feed holds free text. It was not kept.", "Leave the column out."
    ),
    "withheld-value": Remedy(
        "The value is what we wrote in place of one that identifies somebody; we do not have it.",
        "Fill in the value from your own records, or leave it blank.",
    ),
    "not-an-nhs-number": Remedy("The NHS number fails its check digit.", "Check the number against the record."),
    "implausible-nhs-number": Remedy("The NHS number is one digit repeated.", "Leave it blank if it is not known."),
    "unknown-action": Remedy("The action is not create, update or delete.", "Write create, update or delete."),
}

REMEDIES: dict[str, Remedy] = UNREADABLE | ROW_FAULTS
"""Every code of the platform; a test holds it to the codes that the rules use."""
