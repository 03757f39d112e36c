"""Recognising a record that an earlier row of the same file already gave."""

import zlib

import numpy as np
import polars as pl

_SEGMENT = 512 * 1024
_KEY_SEED, _CONTENT_SEED = 11, 23

SAME, OTHER, NEW = 1, 2, 0


class SeenRows:
    """The records of a file so far, as hashes: 64 bits for the key, 32 for the content, and the line (16 bytes a row).

    Two different keys are mistaken for one with a chance of about one in a million for a file of six million rows.
    """

    def __init__(self) -> None:
        self._segments: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self._columns: list[str] = []

    def judge(self, key: pl.DataFrame, content: pl.DataFrame, lines: pl.Series) -> tuple[np.ndarray, np.ndarray]:
        """For each row NEW, SAME (as an earlier one) or OTHER (same key, other content), and the line it repeats.

        The rows are remembered. All three have the same height; lines ascend. Later rows may have more columns of
        content: a row with nothing in those says what it would have said before.
        """
        hashes = key.hash_rows(_KEY_SEED)
        contents = (self._hashed(content).to_numpy() >> np.uint64(32)).astype(np.uint32)
        numbers = lines.to_numpy().astype(np.uint32)
        order = (
            pl.DataFrame({"key": hashes, "at": pl.int_range(len(hashes), eager=True)})
            .sort("key", "at")["at"]
            .to_numpy()
        )
        ordered = hashes.to_numpy()[order]
        first_at, first_of = _firsts(ordered)
        first = order[first_at]
        first_content, first_line, unique = contents[first], numbers[first], ordered[first_at]
        is_new = np.ones(len(first_at), dtype=bool)
        for keys, their_content, their_line in self._segments:
            place = np.minimum(np.searchsorted(keys, unique), len(keys) - 1)
            hit = keys[place] == unique
            first_content[hit], first_line[hit] = their_content[place[hit]], their_line[place[hit]]
            is_new &= ~hit
        self._remember(unique[is_new], first_content[is_new], first_line[is_new])
        back = np.empty_like(order)
        back[order] = first_of
        repeats = first_line[back]
        same = first_content[back] == contents
        verdict = np.where(repeats == numbers, NEW, np.where(same, SAME, OTHER))
        return verdict, repeats

    def _hashed(self, content: pl.DataFrame) -> pl.Series:
        self._columns = self._columns or content.columns
        hashes = content.select(self._columns).hash_rows(_CONTENT_SEED)
        for column in content.drop(self._columns):
            hashes = hashes ^ column.hash(zlib.crc32(column.name.encode())).set(column.is_null(), 0)
        return hashes

    def _remember(self, keys: np.ndarray, contents: np.ndarray, lines: np.ndarray) -> None:
        """Keep sorted segments; small ones are merged until they hold half a million rows."""
        if not len(keys):
            return
        while self._segments and len(self._segments[-1][0]) <= min(len(keys) * 2, _SEGMENT):
            more = self._segments.pop()
            keys, contents, lines = (np.concatenate(pair) for pair in zip(more, (keys, contents, lines), strict=True))
            order = np.argsort(keys, kind="stable")
            keys, contents, lines = keys[order], contents[order], lines[order]
        self._segments.append((keys, contents, lines))


def _firsts(ordered: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each distinct value of a sorted array begins, and for every element which distinct value it is."""
    begins = np.ones(len(ordered), dtype=bool)
    begins[1:] = ordered[1:] != ordered[:-1]
    return np.flatnonzero(begins), np.cumsum(begins) - 1
