"""`benchbook replay`: a cassette as a server."""

from __future__ import annotations

import click

_EPILOG = """\b
Examples:
  benchbook replay datasets/cassettes/hello.ndjson
  benchbook replay mine.ndjson --speed max --port 0
  benchbook replay mine.ndjson --ignore user --on-miss nearest
Point any client at the address that it prints, with any key. A plan needs no server started by hand:
base_url: cassette:FILE. GET /cassette tells what was served and what was asked in vain."""


@click.command(epilog=_EPILOG)
@click.argument("cassette", metavar="CASSETTE")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8125, show_default=True, help="Port; 0 takes a free one."
)
@click.option(
    "--speed",
    default="1x",
    show_default=True,
    metavar="1x|max|NUMBER",
    help="As recorded, at once, or so many times as fast.",
)
@click.option(
    "--on-miss",
    type=click.Choice(["error", "nearest"]),
    default="error",
    show_default=True,
    help="What a request gets that was not recorded: a 404 that names the closest, or the closest one's answer.",
)
@click.option(
    "--ignore", metavar="FIELD", multiple=True, help="A field of request bodies that is not compared, e.g. user."
)
def command(cassette: str, port: int, speed: str, on_miss: str, ignore: tuple[str, ...]) -> None:
    """Serve a cassette: the recorded answers, with the recorded timing. Ctrl-C ends it."""
    from pathlib import Path

    from benchbook.cli.output import note, tell
    from benchbook.errors import UserError
    from benchbook.proxy.replayer import How, Replayer, ignored, replay, spelt_speed

    try:
        how = How(spelt_speed(speed), on_miss, ignored(ignore))
    except ValueError as error:
        raise UserError("--speed", str(error), "1x, max, or a number above 0") from None
    seen: list[Replayer] = []

    def announce(replayer: Replayer) -> None:
        seen.append(replayer)
        found = replayer.cassette
        for damage in found.damaged:
            note(str(damage))
        tell(f"{replayer.address} replays {len(found.exchanges)} exchanges with {found.to}; Ctrl-C ends it")

    replay(Path(cassette), how, ("127.0.0.1", port), announce)
    served, missed = seen[0].served, seen[0].missed
    tell(f"{served} answers served, {missed} requests were not on the cassette")
    for message in seen[0].misses[:10]:
        note(message)
