"""The live views in a real JupyterLab, without a network: they move, a click ends it, all is seen.

Its pictures are the README's.
"""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbconvert import HTMLExporter
from playwright.sync_api import Browser, Locator, Page, expect

from helpers.render import NOTEBOOKS
from tests.browser.lab import PATIENCE, Lab, cell, open_notebook, picture, run

# What each picture of the graph says of itself, as they come; the page keeps them.
KEEP_PICTURES = """
document.addEventListener('DOMContentLoaded', () => {
  window.pictures = [];
  new MutationObserver(() => {
    const shown = document.querySelector('.jupyter-widgets svg desc');
    if (shown && window.pictures.at(-1) !== shown.textContent) {
      window.pictures.push(shown.textContent);
    }
  }).observe(document.body, {subtree: true, childList: true});
});
"""


WAITING = "waitForTaskToken): waiting"


def _graph(page: Page) -> Locator:
    return page.locator(".jupyter-widgets svg").first


def _edges(shown: Locator) -> tuple[float, float]:
    """Where something begins and ends, from the left."""
    box = shown.bounding_box()
    return box["x"], box["x"] + box["width"]


def _seconds_until(page: Page, words: str) -> float:
    """Wait in the page, not across to it, until the graph says these words of itself."""
    return page.evaluate(
        """words => new Promise(resolve => {
          const began = performance.now();
          const look = () => {
            const shown = document.querySelector('.jupyter-widgets svg desc');
            if (shown && shown.textContent.includes(words)) {
              resolve((performance.now() - began) / 1000);
            } else {
              requestAnimationFrame(look);
            }
          };
          look();
        })""",
        words,
    )


def test_the_graph_moves_by_itself_and_a_click_ends_it(page: Page, lab: Lab) -> None:
    page.set_viewport_size({"width": 1280, "height": 1500})
    page.add_init_script(KEEP_PICTURES)
    open_notebook(page, lab.notebook("04_approve_or_deny.ipynb"))
    run(page, "session.connect", "watch.follow")
    # No cell is running now, and the graph goes on to where somebody is waited for.
    _seconds_until(page, WAITING)
    pictures = page.evaluate("window.pictures")
    assert len(pictures) >= 5, pictures
    panel = cell(page, "watch.follow")
    deny = page.get_by_role("button", name="Deny").first
    deny.hover()
    picture(page, "04_waiting_for_a_person")

    deny.click()
    seconds = _seconds_until(page, "Denied (Pass): succeeded")
    print(f"The graph showed it {seconds:.2f} s after the click.")
    expect(panel).to_contain_text("SUCCEEDED")
    page.get_by_text("Denied: it stays harmless.").first.wait_for()
    picture(page, "04_denied_and_over")


def test_choosing_a_step_shows_its_data(page: Page, lab: Lab) -> None:
    open_notebook(page, lab.notebook("03_catch_a_bad_policy.ipynb"))
    run(page, "session.connect", "wait_for_question")
    panel = cell(page, "watch.follow")
    _seconds_until(page, WAITING)
    panel.locator("select option", has_text="ValidatePolicy").first.click()
    expect(panel).to_contain_text("requestParameters")
    panel.scroll_into_view_if_needed()
    picture(page, "03_a_step_s_data")


@pytest.mark.parametrize("width", [1280, 800])
@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_nothing_is_cut_in_any_theme(page: Page, lab: Lab, theme: str, width: int) -> None:
    lab.wear(theme)
    page.set_viewport_size({"width": width, "height": 1100})
    open_notebook(page, lab.notebook("03_catch_a_bad_policy.ipynb"))
    run(page, "session.connect", "wait_for_question")
    panel = cell(page, "watch.follow")
    _seconds_until(page, WAITING)
    panel.scroll_into_view_if_needed()
    picture(page, f"03_live_{theme.lower()}_{width}")
    # Letters of a readable size; what has no room for that can be scrolled to.
    frame = page.locator(".widget-html", has=page.locator("svg")).first
    (left, right), area = _edges(frame), _edges(panel.locator(".jp-OutputArea"))
    assert area[0] <= left < right <= area[1]
    if width == 1280:
        assert _edges(_graph(page))[1] <= right + 1
    else:
        assert frame.evaluate("frame => getComputedStyle(frame).overflowX") == "auto"


@pytest.mark.parametrize("name", sorted(path.name for path in NOTEBOOKS.glob("0[0-9]*.ipynb")))
def test_a_saved_notebook_shows_its_views_without_scripts(
    browser: Browser, tmp_path: Path, name: str
) -> None:
    """As nbconvert and nbviewer show it."""
    notebook = nbformat.read(NOTEBOOKS / name, as_version=4)
    html, _ = HTMLExporter().from_notebook_node(notebook)
    file = tmp_path / "notebook.html"
    file.write_text(html)
    context = browser.new_context(
        java_script_enabled=False, viewport={"width": 1280, "height": 900}
    )
    page = context.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(file.as_uri())
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    shown = [output.get("data", {}).get("text/html", "") for output in outputs]
    pictures = page.locator(".jp-OutputArea svg").all()
    assert len(pictures) == sum(html.count("<svg") for html in shown)
    assert page.locator(".jp-OutputArea table").count() == sum(
        html.count("<table") for html in shown
    )
    for each in pictures:
        each.scroll_into_view_if_needed()
        # As wide as it is made: one state alone is not wide, and nothing is squeezed to less.
        made = float(each.get_attribute("width").removesuffix("pt"))
        assert each.bounding_box()["width"] > min(250, made - 1)
    page.screenshot(path=tmp_path / "page.png", full_page=True)
    context.close()
