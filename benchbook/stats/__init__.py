"""Conclusions from numbers, pure: quantiles and their intervals, proportions, comparisons.

Nothing here reads a clock, a file or a database; chance is a seeded generator that the caller passes in.
Each answer carries how many values it stands on, and is refused (None, with what it needs) when they are too few.
"""
