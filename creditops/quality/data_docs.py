"""Great Expectations' Data Docs of a gate: pages of what was checked, with the rows that failed.

One site per book, gate and day below ``<home>/data_docs``; the newest :data:`KEPT` days stay. The
pages that Great Expectations writes fetch style and scripts from elsewhere; they are given their own,
so that a site is whole where there is no internet, and tells nobody who reads it.
"""

from __future__ import annotations

import os
import re
import shutil
from datetime import date
from importlib.resources import files
from pathlib import Path
from typing import Any

from creditops.personal_data import masked
from creditops.settings import get_settings

KEPT = 35
_OWN = ("data_docs.css", "data_docs.js")
_FETCHED = re.compile(
    r"""<link\b[^>]*\bhref="(?:https?://|[^"]*favicon)[^>]*>"""
    r"""|<script\b[^>]*\bsrc="https?://[^>]*>\s*</script>""",
    re.IGNORECASE,
)
_BACKGROUND = re.compile(r"""url\(\s*["']?https?://[^)]*\)""", re.IGNORECASE)
_LOGO = re.compile(r"""(<img\b[^>]*?\bsrc=")https?://[^"]*?([\w-]+\.png)[^"]*(")""", re.IGNORECASE)


def root() -> Path:
    """Folder of all sites."""
    return get_settings().home / "data_docs"


def site_folder(book: str, gate: str, as_of: date) -> Path:
    """Folder of one site; ``index.html`` in it is where to start."""
    return root() / book / gate / as_of.isoformat()


def add_site(context: Any, book: str, gate: str, as_of: date) -> Path:
    """Give a Great Expectations context a site of its own, empty; its start page."""
    folder = site_folder(book, gate, as_of)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    context.add_data_docs_site(
        "gate",
        {
            "class_name": "SiteBuilder",
            "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
            "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(folder)},
        },
    )
    return folder / "index.html"


def build(context: Any, page: Path) -> Path:
    """Write the site's pages and drop the oldest sites of the book's gate; the start page."""
    context.build_data_docs(site_names=["gate"])
    _make_whole(page.parent)
    days = sorted(each for each in page.parent.parent.iterdir() if each.is_dir())
    for old in days[:-KEPT]:
        if old != page.parent:
            shutil.rmtree(old, ignore_errors=True)
    return page


def _make_whole(site: Path) -> None:
    """Let every page of a site use what lies in it, and nothing from elsewhere."""
    static = site / "static"
    static.mkdir(exist_ok=True)
    for name in _OWN:
        (static / name).write_bytes(files("creditops.quality").joinpath("static", name).read_bytes())
    for page in site.rglob("*.html"):
        at = os.path.relpath(static, page.parent)
        own = (
            f'<link rel="icon" href="{at}/images/favicon.ico">\n'
            f'<link rel="stylesheet" href="{at}/{_OWN[0]}">\n<script src="{at}/{_OWN[1]}"></script>\n'
        )
        text = _FETCHED.sub("", page.read_text(encoding="utf-8"))
        text = _BACKGROUND.sub("none", text)
        text = masked(text)  # the pages show rows that failed
        text = _LOGO.sub(rf"\g<1>{at}/images/\g<2>\g<3>", text).replace("</head>", f"{own}</head>", 1)
        page.write_text(text, encoding="utf-8")
