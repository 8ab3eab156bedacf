"""Prefect tasks, one a stage and of its name: each makes one call into `benchbook.stages`."""
