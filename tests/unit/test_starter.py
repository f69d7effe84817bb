"""An exercise is its solution with dots."""

from __future__ import annotations

import doctest

import nbformat
import pytest

from helpers import starter


def _cell(kind: str, cell_id: str, source: str, *tags: str) -> nbformat.NotebookNode:
    new = {"markdown": nbformat.v4.new_markdown_cell, "code": nbformat.v4.new_code_cell}[kind]
    return new(source, id=cell_id, metadata={"tags": list(tags)})


SOLUTION = nbformat.v4.new_notebook(
    cells=[
        _cell("markdown", "title", "# Solutions"),
        _cell("markdown", "retry-task", "Write a retrier.", "exercise"),
        _cell("code", "retry-given", "given = {}", "exercise"),
        _cell(
            "code", "retry", "retry = {'MaxAttempts': 3}\ncheck.retry(retry)", "exercise", "answer"
        ),
    ]
)


def test_the_examples_in_its_docstring() -> None:
    assert doctest.testmod(starter).failed == 0


def test_text_and_given_code_stay_and_an_answer_becomes_dots() -> None:
    assert starter.exercises(SOLUTION) == {
        "retry-task": "Write a retrier.",
        "retry-given": "given = {}",
        "retry": "retry = ...\ncheck.retry(retry)",
    }


def test_exercises_are_put_where_the_lesson_has_their_cells() -> None:
    lesson = nbformat.v4.new_notebook(
        cells=[_cell("markdown", "retry-task", "old"), _cell("code", "own", "1")]
        + [_cell("code", cell_id, "old") for cell_id in ("retry-given", "retry")]
    )
    starter.put(SOLUTION, lesson)
    assert [cell.source for cell in lesson.cells] == [
        "Write a retrier.",
        "1",
        "given = {}",
        "retry = ...\ncheck.retry(retry)",
    ]


def test_an_exercise_without_a_place_in_the_lesson_is_an_error() -> None:
    with pytest.raises(KeyError, match="retry-task"):
        starter.put(SOLUTION, nbformat.v4.new_notebook())


def test_several_lines_umlauts_and_what_stands_between_answers() -> None:
    code = (
        "größe = {\n  'a': 1,\n}\ncheck(größe)\n\ndef f(x: int) -> int:\n    y = x\n    return y\n"
    )
    dots = "größe = ...\ncheck(größe)\n\ndef f(x: int) -> int: ..."
    assert starter.starter(code) == dots


def test_a_function_keeps_its_signature_and_its_docstring() -> None:
    code = "def f(\n    x: int,\n) -> int:\n    # why\n    return x\n"
    assert starter.starter(code) == "def f(\n    x: int,\n) -> int: ..."
    code = 'def f(x):\n    """Say\n    why."""\n    return x\n'
    assert starter.starter(code) == 'def f(x):\n    """Say\n    why."""\n    ...'
