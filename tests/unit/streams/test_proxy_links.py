"""Links that lead back through the API's proxy."""

import pytest

from kubelite.streams.proxy_links import Way, rewritten_html, rewritten_url

PREFIX = "/api/v1/namespaces/default/pods/web/proxy"
WAY = Way("localhost:8001", "172.30.0.9:80", PREFIX)


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("/rewriteme", f"{PREFIX}/rewriteme"),
        ("/a/?q=1#top", f"{PREFIX}/a/?q=1#top"),
        ("http://172.30.0.9:80/a", f"{PREFIX}/a"),
        ("http://localhost:8001/a", f"http://localhost:8001{PREFIX}/a"),
        (f"{PREFIX}/a", f"{PREFIX}/a"),
        ("http://example.com/a", "http://example.com/a"),
        ("a/b", "a/b"),
        ("#top", "#top"),
        ("http://[broken/", "http://[broken/"),
    ],
)
def test_a_link_leads_through_the_proxy_where_it_leads_to_the_target(link: str, expected: str) -> None:
    assert rewritten_url(link, WAY) == expected


@pytest.mark.parametrize(
    ("page", "expected"),
    [
        (b'<a href="/x">t</a>', f'<a href="{PREFIX}/x">t</a>'),
        (b"<IMG alt='>' SRC=/x>", f"<IMG alt='>' SRC=\"{PREFIX}/x\">"),
        (b'<script src="/x.js">let s = \'<a href="/x">\'</script>', None),
        (b'<!-- <a href="/x"> --><p href="/x">\xe4\xff</p>', '<!-- <a href="/x"> --><p href="/x">\xe4\xff</p>'),
        (b'<a href="/x?a=1&amp;b=2">', f'<a href="{PREFIX}/x?a=1&amp;b=2">'),
        (b'<a href="relative"  class=c>', '<a href="relative"  class=c>'),
    ],
)
def test_only_links_of_tags_are_rewritten(page: bytes, expected: str | None) -> None:
    shown = expected or f'<script src="{PREFIX}/x.js">let s = \'<a href="/x">\'</script>'
    assert rewritten_html(page, WAY).decode("latin-1") == shown
