"""Are the conclusions as sure as they say? The library's own functions on drawn values whose truth is known.

    python benchmarks/statistics.py                      every table, in minutes
    python benchmarks/statistics.py --quick              the same with a tenth of the tries
    python benchmarks/statistics.py --only steps,compare --plot statistics

Tables, each cell with its Monte Carlo standard error and the number of tries behind it:

    intervals     how often each interval that is printed holds the truth: it must 95 % of the time, whatever the law
    compare       how often `compare` says CHANGED where nothing changed: at most 5 %, at any run-to-run drift
    power         how often it says so where something did, by runs a side
    histories     how often a history without a step raises any alarm: at most 5 %, with spikes too
    steps         how often a step of 15 % is found with its third run: at least 80 % up to 5 % drift
    spreads       which way to take the spread between runs from a history
    sequential    how often an experiment that is looked at after every block stops: at most 5 % without a difference

Exit code 1 if a cell misses its limit by more than three standard errors. `--plot` writes an SVG per table of curves.
Values are drawn by `histories_drawn.py`, seeded; processes share the work, and their number changes no figure.
"""

from __future__ import annotations

import sys

if __name__ == "statistics":  # another script of this folder meant the standard library's module of that name
    import importlib.util
    import sysconfig

    _path = f"{sysconfig.get_path('stdlib')}/statistics.py"
    _spec = importlib.util.spec_from_file_location("statistics", _path)
    assert _spec is not None
    assert _spec.loader is not None
    sys.modules["statistics"] = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(sys.modules["statistics"])
elif __name__ == "__main__":
    from benchmarks.statistics_tables import main

    sys.exit(main())
