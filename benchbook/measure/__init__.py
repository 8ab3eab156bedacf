"""From stamped facts to numbers, pure: no clock, file, network or database.

A function here takes records and returns values, each with its provenance; a value that can't be known is
None with a reason. Nothing is clamped: a negative duration stays negative, so that the checks find it.
"""
