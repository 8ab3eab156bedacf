"""Ask apache-otava where fixed series change, and write its answers: an oracle that pins a numpy that is not ours.

    uv run --no-project --with apache-otava==0.8.0 python tests/spec/stats/ask_otava.py

It draws its series with `random`, whose numbers are the same everywhere, and imports nothing of ours.
"""

from __future__ import annotations

import json
import math
import random
from importlib.metadata import version
from pathlib import Path

ANSWERS = Path(__file__).with_name("otava_answers.json")
COURSES: dict[str, tuple[int, list[tuple[int, float]], float]] = {
    "nothing": (40, [], 0.03),
    "nothing, louder": (60, [], 0.15),
    "worse by 20 %": (50, [(30, math.log(1.2))], 0.03),
    "better by 30 %": (50, [(20, math.log(0.7))], 0.03),
    "worse, then better": (80, [(25, 0.25), (55, -0.25)], 0.03),
    "three stairs": (90, [(25, 0.2), (50, 0.2), (70, 0.2)], 0.03),
    "a bump of ten runs": (60, [(30, 0.3), (40, -0.3)], 0.03),
    "many times as much": (40, [(22, math.log(8))], 0.05),
    "a long history": (150, [(60, 0.15), (120, -0.1)], 0.02),
    "small but clear": (100, [(50, 0.05)], 0.01),
}


def series(seed: int, course: tuple[int, list[tuple[int, float]], float]) -> list[float]:
    """Levels about ln(500), stepped and noisy."""
    runs, steps, sd = course
    rng = random.Random(seed)
    return [
        round(math.log(500) + rng.gauss(0, sd) + sum(by for at, by in steps if number >= at), 6)
        for number in range(runs)
    ]


def main() -> None:
    """Write the table."""
    from otava.analysis import compute_change_points

    rows = []
    for seed, (name, course) in enumerate(COURSES.items()):
        levels = series(seed, course)
        found, _ = compute_change_points(levels, window_len=50, max_pvalue=0.001, min_magnitude=0.0)
        changes = [int(point.index) for point in found]
        rows.append({"name": name, "true": [at for at, _ in course[1]], "otava": changes, "levels": levels})
    lines = ",\n".join(json.dumps(row) for row in rows)
    asked = json.dumps(f"apache-otava {version('apache-otava')}, window 50, p 0.001")
    ANSWERS.write_text(f'{{"asked": {asked}, "series": [\n{lines}\n]}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
