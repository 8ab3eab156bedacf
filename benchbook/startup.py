"""How a process of ours begins: what it settles before it loads anything, so that it is soon at its work.

Called by the doors and by the measuring process, each at the head of its `main`; importing this does nothing.
"""

from __future__ import annotations

import gc
import os

_YOUNG = 200_000
"""Objects between two looks at the young ones. Loading our modules makes fewer, and they all stay."""


def begin() -> None:
    """Look through the heap seldom, and have pydantic look for no plugins: it would read the metadata of every
    installed package for the first model that is made. A PYDANTIC_DISABLE_PLUGINS that is set is left as it is."""
    gc.set_threshold(_YOUNG, 20, 20)
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
