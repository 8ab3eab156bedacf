"""Work that blocks, beside the event loop: in threads of the tools' own.

asyncio's shared pool has six threads on two cores, and model clients use it as well: there a tool would wait behind
other tools and behind model calls, and the wait would be told as its own time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import ParamSpec, TypeVar

MOST = 256
P = ParamSpec("P")
T = TypeVar("T")


async def aside(work: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """What `work` gives, done in a thread. Cancelling this leaves the thread to end by itself."""
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_threads(), lambda: work(*arguments, **named))


@cache
def _threads() -> ThreadPoolExecutor:
    """Started one by one, as they are needed."""
    return ThreadPoolExecutor(MOST, "benchbook-tool")
