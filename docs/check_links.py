"""Check that every internal link of the built pages leads to a page and an anchor that exist.

``python docs/check_links.py docs/_build/html``
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """The links and anchors of one page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.anchors: set[str] = {""}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what a tag links to, and its name."""
        given = dict(attrs)
        self.anchors.add(given.get("id") or given.get("name") or "")
        self.links += [given[key] or "" for key in ("href", "src") if key in given]


def broken(root: Path) -> list[str]:
    """Return the links that lead nowhere, each with its page."""
    # What lies in _static are templates of the theme.
    paths = [path for path in root.resolve().rglob("*.html") if "_static" not in path.parts]
    pages = {path: Page(path) for path in paths}
    found = []
    for path, page in pages.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchor = unquote(parts.fragment)
            if not target.exists() or (target in pages and anchor not in pages[target].anchors):
                found.append(f"{path.relative_to(root.resolve())}: {link}")
    return found


if __name__ == "__main__":
    lost = broken(Path(sys.argv[1]))
    sys.exit("\n".join(["links that lead nowhere:", *lost]) if lost else 0)
