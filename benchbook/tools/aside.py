"""Work that blocks, beside the event loop: in threads of the tools' own.

asyncio's shared pool has six threads on two cores, and model clients use it as well: there a tool would wait behind
model calls, and the wait would be told as its own time. Of threads that compute there are few: each holds the
interpreter for some milliseconds, and with many of them the loop that stamps answers would get its turn too late.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import ParamSpec, TypeVar

COMPUTING = 2
WAITING = 16
P = ParamSpec("P")
T = TypeVar("T")


async def aside(work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """What `work` gives, which reads and computes. Cancelling this leaves the thread to end by itself."""
    return await _in(COMPUTING, lambda: work(*arguments, **named))


async def waited(work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """The same for work that does little but wait, for another process say."""
    return await _in(WAITING, lambda: work(*arguments, **named))


async def _in(most: int, work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(_threads(most), work)


@cache
def _threads(most: int) -> ThreadPoolExecutor:
    """Started one by one, as they are needed."""
    return ThreadPoolExecutor(most, f"benchbook-tools-{most}")
