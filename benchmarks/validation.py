"""How long reading and checking 100,000 test cases takes, Great Expectations' import included; per format.

python benchmarks/validation.py [CASES]
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchbook.datasets import FORMATS, write
from benchbook.records import Case, Dataset

CHECK = """
import sys, time
started = time.perf_counter()
from benchbook.checks import check_datasets
from benchbook.scoring import review
found = check_datasets(sys.argv[1:], review)
print(f"{time.perf_counter() - started:6.2f} s, {len(found.problems)} problems, {len(found.notes)} notes")
"""


def dataset(cases: int) -> Dataset:
    """Cases of ordinary size: two variables, an expected text, own parameters."""
    prompt = "Answer in one sentence, please: what does {{name}} mean by item {{item}}, and why does it matter here?"
    return Dataset(
        "large",
        tuple(
            Case(
                id=f"case-{number:06}",
                category=f"category-{number % 7}",
                prompt=prompt,
                variables={"name": "the author", "item": number},
                expected=f"item {number}",
                config={"temperature": 0.5, "max_tokens": 100},
            )
            for number in range(cases)
        ),
        version="1.0.0",
    )


def main() -> None:
    cases = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    large = dataset(cases)
    with tempfile.TemporaryDirectory() as folder:
        for extension in FORMATS:
            path = Path(folder) / f"large{extension}"
            write(large, path)
            started = time.perf_counter()
            done = subprocess.run([sys.executable, "-c", CHECK, str(path)], capture_output=True, text=True, check=True)
            whole = time.perf_counter() - started
            print(f"{cases:,} cases, {path.suffix:6} {done.stdout.strip()}; whole process {whole:.2f} s")


if __name__ == "__main__":
    main()
