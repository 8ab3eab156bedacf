"""The HTTP door: `benchbook ui` serves the history to a browser on this machine. The only door to FastAPI.

It reads and keeps no state: every page is made of the stored runs when it is asked for, by the same functions and
templates as the files of `benchbook report`. Beside each page stands the same as JSON, under /api. Whoever reaches the
port can read the history, so it listens on loopback unless told otherwise; `guard` keeps other websites' pages out.
"""
