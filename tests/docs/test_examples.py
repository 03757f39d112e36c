"""The runner of the documentation's examples: it runs what it should and notices what is not printed."""

from pathlib import Path

from tests.docs.examples import Example, examples, printed_by, script

DOCUMENT = """
```bash
never-run
```

```bash run
echo one
echo two
```

```text output
one
t…o
```

```python run
print(3)
```

Words.

```text output
not of the block above
```
"""


def of(text: str, tmp_path: Path) -> list[Example]:
    document = tmp_path / "document.md"
    document.write_text(text)
    return list(examples(document))


def test_only_blocks_marked_run_are_examples_and_only_the_next_block_is_what_they_print(tmp_path: Path) -> None:
    bash, python = of(DOCUMENT, tmp_path)
    assert (bash.code, bash.prints, bash.line) == ("echo one\necho two\n", ("one", "t…o"), 6)
    assert (python.language, python.prints) == ("python", ())


def test_a_line_that_is_not_printed_is_found_and_so_is_one_in_the_wrong_place(tmp_path: Path) -> None:
    bash, _ = of(DOCUMENT, tmp_path)
    assert bash.missing("zero\none\ntwo\n") is None
    assert bash.missing("two\none\n") == "t…o"
    assert bash.missing("one\ntwofold\n") == "t…o"


def test_what_an_example_printed_is_told_apart_from_what_others_did(tmp_path: Path) -> None:
    first, second = (Example("bash", line, f"echo {line}\n", ()) for line in (1, 2))
    told = "=== example of line 1\n1\n=== example of line 2\n2\n"
    assert [printed_by(one, told) for one in (first, second)] == ["1\n", "2\n"]
    assert script([first, second]).count("=== example of line") == 2
