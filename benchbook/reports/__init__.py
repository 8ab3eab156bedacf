"""Numbers -> something to look at: the terminal, one HTML page, JSON and CSV files.

`gather` asks the history once; every form is drawn from the `RunView` that it returns. Nothing is computed
here: a number that a form shows is one that a stored question answered.
"""
