"""Files as text: what a reader of a page would read, titles, and texts that are too long."""

from __future__ import annotations

import pytest

from benchbook.tools import texts


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>a<p>b", "a\nb"),
        ("a<br>b<i>c</i> d", "a\nbc d"),
        ("<td>a</td><td>b</td><tr><td>c", "a | b\nc"),
        ("<script>x<b>y</b></script>z<style>w", "z"),
        ("<svg><text>x</text></svg>&lt;b&gt; &amp;", "<b> &"),
        ("<ul>\n <li> one\n two\n <li>three</ul>", "one two\nthree"),
        ("<!-- no --><?no?><![CDATA[x]]>yes</p></div>", "yes"),
        ("", ""),
    ],
)
def test_html_is_read_as_its_text(html: str, text: str) -> None:
    assert texts.plain(html) == text


@pytest.mark.parametrize(
    ("path", "text", "title"),
    [
        ("a/b.md", "intro\n# The title #\n# Another", "The title"),
        ("b.md", "## Only a section", "b.md"),
        ("a/c.txt", "# no heading here", "a/c.txt"),
        ("d.html", "Page\ntext", "Page"),
        ("e.html", "", "e.html"),
    ],
)
def test_titles(path: str, text: str, title: str) -> None:
    assert texts.title_of(path, text) == title


@pytest.mark.parametrize(("path", "kind"), [("a.MD", ".md"), ("a.b/c", ""), ("a.tar.gz", ".gz"), (".md", ".md")])
def test_extensions(path: str, kind: str) -> None:
    assert texts.extension(path) == kind


def test_long_texts_end_with_a_whole_line_where_they_can() -> None:
    note = "[there is more than is shown]"
    assert texts.shortened("one\ntwo", 7) == "one\ntwo"
    assert texts.shortened("one\ntwo", 6) == f"one\n{note}"
    assert texts.shortened("one and two", 6) == f"one an\n{note}"
    assert texts.shortened("\none and two", 6) == f"\none a\n{note}"
