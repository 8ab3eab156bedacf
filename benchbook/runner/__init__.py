"""Runs a plan: `plan` expands it into trials, `loop` paces them, `session` keeps the run's folder; `crew` is for
several processes, and in `harness` the instrument measures itself.
"""
