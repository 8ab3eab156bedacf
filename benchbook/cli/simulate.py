"""`benchbook simulate`: the simulated provider, for trying things out and for tests."""

from __future__ import annotations

import click

_EPILOG = """\b
Examples:
  benchbook simulate --port 8123
  benchbook simulate --port 0 --profile datasets/simulator/exact-200-10.yaml
Then point any OpenAI-compatible client at http://127.0.0.1:8123/v1, or the Anthropic, Bedrock and Ollama
clients at http://127.0.0.1:8123. GET /truth tells what was sent and when."""


@click.command(epilog=_EPILOG)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8123, show_default=True, help="Port; 0 takes a free one."
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--profile", metavar="FILE", help="The law of delays, answers and faults; without it a plain one.")
def command(port: int, host: str, profile: str | None) -> None:
    """Start the simulated provider: every wire, a known law of delays and faults. Ctrl-C ends it."""
    from pathlib import Path

    from benchbook.simulator import run

    def announce(address: str) -> None:
        click.echo(
            f"the simulator listens on {address}  (OpenAI: {address}/v1, truth: {address}/truth; Ctrl-C ends it)"
        )

    run(Path(profile) if profile else None, host, port, announce)
