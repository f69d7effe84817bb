"""What the browser tests share: a real Chromium, and where their pictures go."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from helpers.localaws.record import CHECKOUT
from tests.browser import chromium

# `make render` stores them as the README's pictures.
PICTURES = Path(os.environ.get("WORKBOOK_PICTURES", CHECKOUT / "test-results"))
SECONDS = 1000  # playwright counts in milliseconds
PATIENCE = 60 * SECONDS
expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = chromium.find()
    if path is None:
        reason = "no Chromium: python -m tests.browser.chromium says how to get one"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=chromium.ARGUMENTS)
        yield browser
        browser.close()
