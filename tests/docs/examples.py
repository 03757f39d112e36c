"""The examples in the documentation: fenced blocks marked ```bash run, ```python run or ```ts run, and what they print.

The blocks of a language in one document run in order, as one session. A block ```text output right after one says
what it prints: its lines, in that order, among what is printed; `…` stands for anything within a line.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)
LANGUAGES = ("bash", "python")
"""Those of the guides; TypeScript is run where its client is built (`tests/journeys/test_typescript.py`)."""
SAY = {"bash": 'echo "{0}"', "python": 'print("{0}", flush=True)', "ts": 'console.log("{0}");'}
MARK = "=== example of line"


@dataclass(frozen=True)
class Example:
    """A block to run: where it stands, and the lines that it should print."""

    language: str
    line: int
    code: str
    prints: tuple[str, ...]

    def missing(self, printed: str) -> str | None:
        """The first line that should have been printed and was not, in order; None when all were."""
        rest = iter(printed.splitlines())
        for wanted in self.prints:
            pattern = re.compile(".*".join(map(re.escape, wanted.strip().split("…"))))
            if not any(pattern.fullmatch(line.strip()) for line in rest):
                return wanted
        return None


def examples(document: Path) -> Iterator[Example]:
    """The blocks to run in a document, in order."""
    text = document.read_text()
    blocks = list(_FENCE.finditer(text))
    for number, block in enumerate(blocks):
        language, _, how = block["info"].strip().partition(" ")
        if how != "run":
            continue
        assert language in SAY, f"{document.name}: nothing runs {language}"
        after = blocks[number + 1] if number + 1 < len(blocks) else None
        told = after is not None and after["info"] == "text output" and not text[block.end() : after.start()].strip()
        prints = tuple(line for line in after["body"].splitlines() if line.strip()) if told and after else ()
        yield Example(language, text.count("\n", 0, block.start()) + 1, block["body"], prints)


def script(session: list[Example]) -> str:
    """One script of a session's examples, with a mark before each in what it prints."""
    say = SAY[session[0].language]
    begin = "set -euo pipefail\n" if session[0].language == "bash" else ""
    return begin + "\n".join(f"{say.format(f'{MARK} {one.line}')}\n{one.code}" for one in session)


def printed_by(example: Example, output: str) -> str:
    """What this example printed, of the output of its session."""
    _, _, rest = output.partition(f"{MARK} {example.line}\n")
    return rest.partition(MARK)[0]
