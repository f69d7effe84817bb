"""What makes the notebooks alike, and easy to read."""

from __future__ import annotations

import re
from pathlib import Path
from statistics import median

from tests.notebooks.shelf import LESSONS, SOLUTIONS, code, each_lesson, each_notebook, read, text

HEADINGS = ("## On a real account", "## You learned", "## What's next")


def test_there_are_notebooks() -> None:
    assert [path.name[:3] for path in LESSONS] == [f"{number:02}_" for number in range(11)]
    assert [path.name for path in SOLUTIONS] == [path.name for path in LESSONS[2:]]


def _html(path: Path) -> str:
    """Everything in a notebook that is shown as HTML: its texts' and its outputs'."""
    outputs = [
        "".join(output.data["text/html"])
        for cell in code(path)
        for output in cell.outputs
        if "text/html" in output.get("data", {})
    ]
    return "\n".join([text(path), *outputs])


@each_lesson
class TestLesson:
    """What makes the lessons alike."""

    def test_it_opens_with_aims_and_minutes(self, path: Path) -> None:
        first = read(path).cells[0].source
        assert first.startswith("# ")
        for words in ("**What you'll do.**", "**What you'll learn.**", "**What you'll need.**"):
            assert words in first
        assert re.search(r"About \d+ minutes", first)

    def test_it_closes_with_what_was_learned(self, path: Path) -> None:
        places = [text(path).find(heading) for heading in HEADINGS]
        assert places == sorted(places)
        assert places[0] > 0

    def test_it_is_not_too_long(self, path: Path) -> None:
        lines = [len(cell.source.splitlines()) for cell in code(path)]
        assert len(read(path).cells) <= 45
        assert median(lines) <= 4

    def test_it_leads_on(self, path: Path) -> None:
        """The next lesson, or the first again, is linked at the end."""
        following = LESSONS[(LESSONS.index(path) + 1) % len(LESSONS)].name
        assert f"]({following})" in read(path).cells[-1].source


@each_notebook
class TestNotebook:
    """What is asked of lessons and solutions alike."""

    def test_no_cell_is_long(self, path: Path) -> None:
        assert max(len(cell.source.splitlines()) for cell in code(path)) <= 20

    def test_it_was_run_from_top_to_bottom(self, path: Path) -> None:
        counts = [cell.execution_count for cell in code(path)]
        assert counts == list(range(1, len(counts) + 1))
        outputs = [output for cell in code(path) for output in cell.outputs]
        assert not [output for output in outputs if output.output_type == "error"]
        assert not [output for output in outputs if output.get("name") == "stderr"]

    def test_it_has_no_empty_cell_and_the_common_kernel(self, path: Path) -> None:
        notebook = read(path)
        assert all(cell.source.strip() for cell in notebook.cells)
        assert notebook.metadata.kernelspec.name == "python3"

    def test_its_links_lead_somewhere(self, path: Path) -> None:
        for target in re.findall(r"\]\(([^)]+)\)", text(path)):
            if target.startswith("https://"):
                continue
            file, _, place = target.partition("#")
            found = path.parent / file if file else path
            assert found.exists(), target
            if place:
                assert place in _places(found), target

    def test_pictures_have_words(self, path: Path) -> None:
        assert "![](" not in text(path)
        for tag in re.findall(r"<img\b[^>]*>", _html(path)):
            assert re.search(r'\balt="[^"]', tag), tag[:200]
        for tag in re.findall(r"<svg\b.*?</svg>", _html(path), re.DOTALL):
            assert re.search(r"<title\b|aria-label=|aria-hidden=", tag), tag[:200]
        for cell in code(path):
            for output in cell.outputs:
                if "image/png" in output.get("data", {}):
                    assert output.metadata.get("image/png", {}).get("alt") or (
                        "text/html" in output.data
                    ), "a picture without words"


def _places(path: Path) -> set[str]:
    """The headings of a page, as JupyterLab and GitHub both name them: lower case, no signs."""
    headings = re.findall(r"(?m)^#+ (.+)$", text(path))
    return {re.sub(r"[^\w -]", "", heading).replace(" ", "-") for heading in headings}
