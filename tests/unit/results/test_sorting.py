"""Sorting in bounded memory: as one stable sort of everything, wherever batches and blocks end."""

from __future__ import annotations

import random
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from benchbook.results.sorting import Sorted

CHANCE = random.Random(5)
SIZE = 1_000
ROWS = pa.table(
    {
        "key": [CHANCE.choice([None, "a", "b", "c"]) for _ in range(SIZE)],
        "number": [CHANCE.randrange(20) for _ in range(SIZE)],
        "place": list(range(SIZE)),
        "list": [[place] * (place % 5) if place % 7 else None for place in range(SIZE)],
        "text": [f"t{place}" * (place % 3) for place in range(SIZE)],
    }
)
ORDER = ("key", "number")
WHOLE = ROWS.take(pc.sort_indices(ROWS, [(key, "ascending") for key in ORDER]))


@pytest.mark.parametrize("block_bytes", [1, 3_000, 40_000, 1 << 30])
@pytest.mark.parametrize("batch", [1, 7, SIZE - 1, SIZE])
@pytest.mark.parametrize("group", [1, 99, SIZE, SIZE + 1])
def test_as_one_stable_sort(tmp_path: Path, block_bytes: int, batch: int, group: int) -> None:
    with Sorted(ROWS.schema, ORDER, tmp_path, block_bytes) as rows:
        for start in range(0, SIZE, batch):
            rows.add(ROWS.slice(start, batch))
        found = list(rows.groups(group))
    assert [len(part) for part in found[:-1]] == [group] * (len(found) - 1)
    assert pa.concat_tables(found).equals(WHOLE)


def test_nothing_is_nothing(tmp_path: Path) -> None:
    with Sorted(ROWS.schema, ORDER, tmp_path, 1) as rows:
        rows.add(ROWS.slice(0, 0))
        assert list(rows.groups(10)) == []


def test_what_is_set_aside_has_no_name_and_a_full_disk_is_told(tmp_path: Path) -> None:
    with Sorted(ROWS.schema, ORDER, tmp_path, 1) as rows:
        rows.add(ROWS)
        assert list(tmp_path.iterdir()) == []
    with Sorted(ROWS.schema, ORDER, tmp_path / "gone", 1) as rows, pytest.raises(OSError, match="gone"):
        rows.add(ROWS)
