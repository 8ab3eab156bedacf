"""A run's page in a real browser: what models and users wrote is shown and never runs; it fits a phone; tables sort.

One Chromium is started for all of it, and the page is one whose every free text tries to break out. Where no Chromium
is installed the tests are skipped and say so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from benchbook.reports.gather import gather
from benchbook.reports.pages.extras import more
from benchbook.reports.pages.run import page
from tests.chromium import Browser, chromium
from tests.spec.sql.agents import agents_history
from tests.spec.sql.stored import Stored, run_row, trial_row

HOSTILE = (
    "<script>window.hit = 1</script>",
    '"\'><img src=x onerror="window.hit = 2">',
    "</title></style></script><svg onload=window.hit=3><image href=http://127.0.0.1:9/x>",
    "\N{RIGHT-TO-LEFT OVERRIDE}<b onmouseover=window.hit=4>abc\N{ZERO WIDTH SPACE}</b>",
    "{{ 7 * 7 }}{% for x in y %}<iframe srcdoc='<script>parent.hit = 5</script>'></iframe>",
    "<a href='javascript:window.hit=6'>$x^2$ &lt;</a><meta http-equiv=refresh content='0;url=http://127.0.0.1:9/'>",
)
SCRIPT, IMAGE, DRAWING, TURNED, TEMPLATE, LINK = HOSTILE
SIZES = ((1280, False), (390, False), (390, True))


def hostile() -> Stored:
    """Two runs' worth of rows in one: single answers that fail and score low, and agents; each text one of HOSTILE."""
    stored = agents_history(4, cases=2, repetitions=2)
    for table in stored.rows.values():
        for row in table:
            row["run_id"] = "r"
    stored.rows["runs"] = [
        run_row("r", verdict="DEGRADED", reasons=list(HOSTILE), host=IMAGE, planned=20, succeeded=14)
        | {"versions": {SCRIPT: LINK}, "host_fingerprint": {IMAGE: TEMPLATE}, "git_commit": DRAWING, "wall_s": 1.0}
    ]
    for number, row in enumerate(stored.rows["trials"]):
        row |= {"target": HOSTILE[number % 2] + row["target"], "model": LINK, "test_id": TURNED, "team": TEMPLATE}
    for row in stored.rows["spans"]:
        row |= {"name": DRAWING, "error": IMAGE, "status": "error", "output": SCRIPT}
    names = {"target": TEMPLATE + IMAGE, "model": TURNED, "dataset": DRAWING, "test_id": LINK, "category": SCRIPT}
    for number in range(14):
        times = dict.fromkeys(("ttft_ms", "e2e_ms", "response_ms", "decode_ms_per_token"), 10.0 + number)
        trial = trial_row("r", 1000 + number, **names, **times, score=0.25, cost_usd=0.001 * number, cold=False)
        if number >= 8:
            trial |= {"status": "failure", "error_kind": IMAGE, "error_message": HOSTILE[number % 6], "score": None}
        stored.rows["trials"].append(trial)
        of = {"run_id": "r", "trial_id": trial["trial_id"]}
        stored.rows["scores"].append({**of, "scorer": SCRIPT, "value": 0.25, "passed": False, "detail": DRAWING})
        stored.rows["responses"].append({**of, "call_id": "c", "attempt": 1, "text": "\n".join(HOSTILE)})
        call = {**of, "call_id": "c", "attempt": 1, "target": names["target"], "phase": "measured", "streamed": True}
        call |= {"chunk_offsets_us": [100, 900, 70_000], "chunk_sizes": [1, 1, 1], "chunk_kinds": ["text"] * 3}
        stored.rows["calls"].append(call)
    check = {"run_id": "r", "suite": SCRIPT, "subject": IMAGE, "name": LINK, "success": False, "severity": "warning"}
    stored.rows["checks"].append({**check, "observed": 1, "unexpected": 1, "failures": list(HOSTILE)})
    return stored


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    results = hostile().write(tmp_path_factory.mktemp("pages") / "results")
    view = gather(results, "r")
    file = results.parent / "page.html"
    file.write_text(page(view, more(results, view)), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("browser")) as started:
        yield started


@pytest.fixture(scope="module")
def seen(browser: Browser, written: Path) -> Browser:
    """The page, opened; and every element with a handler of hovering or pressing has been hovered and pressed."""
    browser.look(width=1280)
    browser.open(written)
    browser.value("document.querySelectorAll('details').forEach(part => { part.open = true; })")
    browser.value(
        "document.querySelectorAll('main *').forEach(each => ['mouseover', 'focus'].forEach("
        "kind => each.dispatchEvent(new Event(kind, {bubbles: true}))))"
    )
    return browser


def test_nothing_of_what_others_wrote_ran_or_was_fetched(seen: Browser) -> None:
    assert seen.value("typeof window.hit") == "undefined"
    strange = "script, img, iframe, object, embed, link, meta[http-equiv=refresh], image, base, form"
    kinds = seen.value(f"[...document.querySelectorAll('{strange}')].map(each => each.tagName)")
    assert kinds == ["SCRIPT"]
    handlers = "[...document.querySelectorAll('*')].flatMap(each => [...each.attributes]).map(each => each.name)"
    assert [name for name in seen.value(handlers) if name.startswith("on")] == []
    links = seen.value("[...document.querySelectorAll('a')].map(each => each.getAttribute('href'))")
    assert all(re.fullmatch(r"#[a-z]+", link) for link in links)
    asked = [event["params"] for event in seen.events if event["method"] == "Network.requestWillBeSent"]
    assert [each["request"]["url"].rsplit("/", 1)[1] for each in asked] == ["page.html"]
    assert seen.value("performance.getEntriesByType('resource').length") == 0
    assert [event for event in seen.events if event["method"] == "Runtime.exceptionThrown"] == []


def test_what_others_wrote_is_there_to_read(seen: Browser) -> None:
    text = seen.value("document.querySelector('main').textContent")
    for each in HOSTILE:
        assert text.count(each) >= 3, each


def test_a_script_that_is_not_ours_would_not_run(seen: Browser) -> None:
    """The second wall: what had got past the escaping is stopped by the policy."""
    seen.value(
        "(() => { const one = document.createElement('script'); one.textContent = 'window.late = 1';"
        " document.body.append(one); one.remove();"
        " const two = document.createElement('div'); two.innerHTML = '<b onclick=\"window.late = 2\">x</b>';"
        " document.body.append(two); two.firstChild.click(); two.remove(); })()"
    )
    assert seen.value("typeof window.late") == "undefined"


def test_our_script_sorts_and_filters(seen: Browser) -> None:
    assert seen.value("document.documentElement.dataset.script") == "ran"
    column = "[...document.querySelectorAll('#slowest tbody tr')].map(row => row.cells[3].textContent)"
    press = "document.querySelectorAll('#slowest thead button')[3].click()"
    texts = []
    for _ in range(2):
        seen.value(press)
        texts.append([float(text.replace(",", "")) for text in seen.value(column) if text != "-"])
    assert texts[0] == sorted(texts[0]) != texts[1] == sorted(texts[1], reverse=True)
    assert seen.value("document.querySelectorAll('#slowest [aria-sort=descending]').length") == 1
    found = seen.value(
        "(() => { const field = document.querySelector('#failures .filter input');"
        " const type = text => { field.value = text; field.dispatchEvent(new Event('input'));"
        " return [...field.closest('section').querySelectorAll('.filter + .scroll tbody tr')]"
        ".filter(row => !row.hidden).length; };"
        " return [type(''), type('no such row'), type('')]; })()"
    )
    assert found[0] == found[2] > found[1] == 0


@pytest.mark.parametrize(("width", "dark"), SIZES)
def test_the_page_fits_the_screen_and_can_be_read(seen: Browser, width: int, *, dark: bool) -> None:
    seen.look(width=width, dark=dark)
    assert seen.value("document.documentElement.scrollWidth") == width
    pairs: list[list[Any]] = seen.value(CONTRASTS)
    assert len(pairs) > 40
    assert [(text, ratio) for text, ratio in pairs if ratio < 4.5] == []


def test_the_page_is_made_for_those_who_do_not_see_it(seen: Browser) -> None:
    assert seen.value("document.querySelectorAll('table').length") > 8
    assert seen.value("[...document.querySelectorAll('table')].filter(each => !each.caption).length") == 0
    assert seen.value("[...document.querySelectorAll('th')].filter(each => !each.scope).length") == 0
    assert seen.value("[...document.querySelectorAll('svg')].filter(each => !each.ariaLabel).length") == 0
    levels = seen.value("[...document.querySelectorAll('h1, h2, h3')].map(each => +each.tagName[1])")
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert seen.value("new Set([...document.querySelectorAll('[id]')].map(each => each.id)).size") == seen.value(
        "document.querySelectorAll('[id]').length"
    )
    named = "[...document.querySelectorAll('svg')].every(each => each.closest('figure').querySelector('figcaption'))"
    assert seen.value(named)


CONTRASTS = """
(() => {
  const parse = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const curve = v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const light = rgb => rgb.slice(0, 3).reduce((sum, v, i) => sum + curve(v / 255) * [.2126, .7152, .0722][i], 0);
  const ground = each => {
    for (let at = each; at; at = at.parentElement) {
      const found = parse(getComputedStyle(at).backgroundColor);
      if (found.length === 3 || found[3] === 1) return found;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const each of document.querySelectorAll('body *')) {
    const own = [...each.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
    if (!own || !each.checkVisibility() || each.closest('script, style, .skip')) continue;
    const style = getComputedStyle(each), drawn = each.closest('svg');
    const [a, b] = [light(parse(drawn ? style.fill : style.color)), light(ground(each))].sort((x, y) => y - x);
    found.push([each.textContent.trim().slice(0, 40), Math.round(100 * (a + .05) / (b + .05)) / 100]);
  }
  return found;
})()
"""
