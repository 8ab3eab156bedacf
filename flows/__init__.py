"""Prefect flows: the order of things and nothing else. `benchmark` chains the five stages, each one a task."""
