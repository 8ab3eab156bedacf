"""A table of any length put in order, in bounded memory: an external merge sort.

Rows come in batches and in any order. What is held is sorted and set aside in an unnamed file as soon as it passes
`block_bytes`; each such block lies there in pieces, so that merging them reads every byte once and holds a piece a
block. In memory stay the sort keys alone. The order is stable: where batches and blocks end makes no difference.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc

BLOCK_BYTES = 64 << 20
_PIECE_BYTES = 512 << 10


@dataclass(slots=True)
class _Block:
    """Sorted rows in the file, as pieces (offset, length); `rows`: of them all; `left`: read and not yet given."""

    rows: int
    pieces: list[tuple[int, int]]
    left: list[pa.RecordBatch] = field(default_factory=list)


class Sorted:
    """Takes batches of one schema, gives their rows by `order`; use it as a context manager.

    folder: where there is room for what does not fit. Raises OSError where there is none.
    """

    def __init__(self, schema: pa.Schema, order: Sequence[str], folder: Path, block_bytes: int = BLOCK_BYTES) -> None:
        self._schema, self._order = schema, tuple(order)
        self._folder, self._block_bytes = folder, block_bytes
        self._held: list[pa.Table] = []
        self._held_bytes = 0
        self._blocks: list[_Block] = []
        self._keys: list[pa.Table] = []
        self._file: Any = None
        self._end = 0

    def add(self, rows: pa.Table) -> None:
        """Take these rows, of exactly the schema."""
        if not len(rows):
            return
        self._held.append(rows)
        self._held_bytes += rows.nbytes
        if self._held_bytes >= self._block_bytes:
            self._set_aside()

    def groups(self, rows: int) -> Iterator[pa.Table]:
        """All rows in order, `rows` at a time; the last group may be shorter. Once, and nothing is added after it."""
        if not self._blocks:
            whole = self._ordered()
            for start in range(0, len(whole), rows):
                yield whole.slice(start, rows)
            return
        if self._held:
            self._set_aside()
        yield from self._merged(rows)

    def close(self) -> None:
        """Let everything go."""
        self._held, self._blocks, self._keys = [], [], []
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ordered(self) -> pa.Table:
        """What is held, in order; then nothing is held any more."""
        table = pa.concat_tables(self._held) if self._held else pa.Table.from_batches([], schema=self._schema)
        self._held, self._held_bytes = [], 0
        return table.take(_places(table, self._order))

    def _set_aside(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self._folder, prefix=".sorting-", suffix=".tmp")  # noqa: SIM115
        table = self._ordered()
        self._keys.append(table.select(list(self._order)))
        each = max(1, len(table) * _PIECE_BYTES // max(1, table.nbytes))
        block = _Block(len(table), [])
        for piece in table.combine_chunks().to_batches(max_chunksize=each):
            message = piece.serialize()
            _write(self._file.fileno(), message, self._end)
            block.pieces.append((self._end, message.size))
            self._end += message.size
        self._blocks.append(block)

    def _merged(self, rows: int) -> Iterator[pa.Table]:
        """A block's rows are in order, so those of one group lie together in it, behind those of the group before."""
        import numpy as np

        keys = pa.concat_tables(self._keys)
        self._keys = []
        order = _places(keys, self._order).to_numpy().astype(np.int64)
        del keys
        firsts = np.concatenate([[0], np.cumsum([block.rows for block in self._blocks])])
        given = np.zeros(len(self._blocks), dtype=np.int64)
        for start in range(0, len(order), rows):
            wanted = order[start : start + rows]
            block_of = np.searchsorted(firsts, wanted, side="right") - 1
            counts = np.bincount(block_of, minlength=len(self._blocks))
            parts = [
                part for block, count in zip(self._blocks, counts, strict=True) for part in self._next(block, count)
            ]
            shift = np.concatenate([[0], np.cumsum(counts)[:-1]]) - given - firsts[:-1]
            yield pa.Table.from_batches(parts, schema=self._schema).take(pa.array(wanted + shift[block_of]))
            given += counts

    def _next(self, block: _Block, count: int) -> Iterator[pa.RecordBatch]:
        """The block's next `count` rows."""
        while count:
            if not block.left:
                offset, length = block.pieces.pop(0)
                block.left.append(pa.ipc.read_record_batch(pa.py_buffer(self._read(offset, length)), self._schema))
            piece = block.left.pop()
            yield piece.slice(0, count)
            if len(piece) > count:
                block.left.append(piece.slice(count))
            count -= min(count, len(piece))

    def _read(self, offset: int, length: int) -> bytes:
        data = os.pread(self._file.fileno(), length, offset)
        if len(data) != length:
            raise OSError(5, "what was set aside can't be read back", self._file.name)
        return data


def _places(table: pa.Table, order: Sequence[str]) -> pa.Array:
    return pc.sort_indices(table, [(key, "ascending") for key in order])


def _write(descriptor: int, data: Any, offset: int) -> None:
    rest = memoryview(data)
    while rest:
        written = os.pwrite(descriptor, rest, offset)
        rest, offset = rest[written:], offset + written
