"""The profile and the talk that tests of official SDKs share, and a simulator that plays them."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

from benchbook.simulator import start_process

PROFILE = """
default:
  scripts: [script.yaml]
  tool_calls:
    - match: weather
      calls: [{name: get_weather, arguments: {city: Zürich}}]
models:
  sim-openai: {}
  sim-anthropic: {}
  anthropic.sim-claude-v1:0: {}
  amazon.nova-sim-v1:0: {}
  sim-llama: {}
  gone: {unavailable: true}
  thinker: {reasoning: {tokens: 5}}
  anthropic.thinker: {reasoning: {tokens: 5}}
faults:
  - {kind: rate_limited, match: busy*, every: 1}
  - {kind: rate_limited, match: anthropic.busy, every: 1}
  - {kind: stream_error, match: breaking*, every: 1, after_chunks: 2}
"""
SCRIPT = """
entries:
  - match: Compare
    agents:
      scout:
        - say: Both at once.
          calls:
            - {name: get_weather, arguments: {city: Zürich}}
            - {name: get_weather, arguments: {city: Bern}}
        - say: "In Bern it is {{ observation 2 }}, in Zürich {{ observation 1 }}."
      default: [{say: I see no weather from here.}]
"""
COMPARE = "Compare the weather in Zürich and Bern."
SCOUT = "You are scout, a traveller.\nYour goal: to know the weather."
BOTH = [{"city": "Zürich"}, {"city": "Bern"}]
WEATHERS = ("sunny", "rainy")
SAID = "In Bern it is rainy, in Zürich sunny."
HELLO = "Grüezi, how are you today?"
WEATHER = "What is the weather in Zürich?"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOKENS = -(-len(HELLO) // 4)


def playing(folder: Path) -> AbstractContextManager[str]:
    """A simulator with the profile: its address, while it lasts."""
    profile = folder / "profile.yaml"
    profile.write_text(PROFILE, encoding="utf-8")
    profile.with_name("script.yaml").write_text(SCRIPT, encoding="utf-8")
    return start_process(profile)


def asked(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]
