"""Benchbook: measures LLM endpoints and agents, keeps every raw fact, and answers in SQL."""

__version__ = "0.1.0"
