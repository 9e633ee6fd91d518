"""Great Expectations' Data Docs of a gate: pages of what was checked, with the rows that failed.

One site per book, gate and day below ``<home>/data_docs``; the newest :data:`KEPT` days stay.
"""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path
from typing import Any

from creditops.settings import get_settings

KEPT = 35


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
    days = sorted(each for each in page.parent.parent.iterdir() if each.is_dir())
    for old in days[:-KEPT]:
        if old != page.parent:
            shutil.rmtree(old, ignore_errors=True)
    return page
