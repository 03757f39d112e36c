"""Every benchmark, one after another; what they print goes to `benchmarks/results.md` too.

`python -m benchmarks [name ...]` runs only those named. Figures are ratios against a limit measured in the same run:
the machine they come from is no part of them.
"""

import subprocess
import sys
from pathlib import Path

BENCHMARKS = (
    "spc_engine",
    "statistics_over_http",
    "ingest_rules",
    "figures",
    "one_million_births",
    "small_returns",
    "measures_reads",
    "recomputation",
    "growth",
    "registry",
    "gateway",
    "stream",
    "demonstration",
    "failures",
    "fuzz_ingest",
)
RESULTS = Path(__file__).parent / "results.md"


def main(chosen: list[str]) -> int:
    """Run them; the exit status is that of the worst."""
    unknown = set(chosen) - set(BENCHMARKS)
    if unknown:
        print(f"no benchmark is called {', '.join(sorted(unknown))}; there are: {', '.join(BENCHMARKS)}")
        return 2
    sections, worst = [], 0
    for name in chosen or [one for one in BENCHMARKS if (RESULTS.parent / f"{one}.py").exists()]:
        print(f"== {name}", flush=True)
        done = subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], capture_output=True, text=True, check=False)
        print(done.stdout, done.stderr if done.returncode else "", flush=True)
        worst = max(worst, abs(done.returncode))
        sections.append(f"## {name}\n\n```\n{done.stdout.strip()}\n```\n")
    if not chosen:
        RESULTS.write_text("# Results\n\nWritten by `make bench`.\n\n" + "\n".join(sections))
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
