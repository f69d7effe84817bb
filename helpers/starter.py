"""The exercises of a lesson, made from their solutions, so that the two cannot drift.

A notebook in ``notebooks/solutions`` has the exercises of the lesson of the same name, answered.
Its cells with the tag ``exercise`` stand in the lesson too, under the same cell id, wherever the
lesson puts them: text and given code word for word, and what is tagged ``answer`` with dots in
the place of each value that is assigned and each function's body.

    retry = {"ErrorEquals": ["States.Timeout"], "MaxAttempts": 3}   ->   retry = ...
"""

from __future__ import annotations

import ast

from nbformat import NotebookNode

TASK, ANSWER = "exercise", "answer"


def tags(cell: NotebookNode) -> list[str]:
    """Return a cell's tags."""
    return cell.metadata.get("tags", [])


def exercises(solution: NotebookNode) -> dict[str, str]:
    """Return what a solution's lesson must hold: the source of each cell by the cell's id."""
    return {
        cell.id: starter(cell.source) if ANSWER in tags(cell) else cell.source
        for cell in solution.cells
        if TASK in tags(cell)
    }


def put(solution: NotebookNode, lesson: NotebookNode) -> None:
    """Write a solution's exercises into its lesson. Raises KeyError where one has no cell there."""
    places = {cell.id: cell for cell in lesson.cells}
    for cell_id, source in exercises(solution).items():
        places[cell_id].source = source


def starter(code: str) -> str:
    r"""Return code with dots for what a learner is to find.

    >>> print(starter("a['b'] = [\n    1,\n]  # why\ncheck(a)"))
    a['b'] = ...
    check(a)
    >>> print(starter("def work(task):\n    '''Do it.'''\n    return task\n\ncheck(work)"))
    def work(task):
        '''Do it.'''
        ...
    <BLANKLINE>
    check(work)
    """
    lines = code.splitlines()
    for node in reversed(ast.parse(code).body):
        if isinstance(node, ast.Assign | ast.AnnAssign):
            first = lines[node.value.lineno - 1].encode()[: node.value.col_offset].decode()
            lines[node.value.lineno - 1 : node.end_lineno] = [f"{first}..."]
        elif isinstance(node, ast.FunctionDef):
            lines[node.lineno - 1 : node.end_lineno] = _unwritten(node, lines)
    return "\n".join(lines)


def _unwritten(function: ast.FunctionDef, lines: list[str]) -> list[str]:
    """Return the lines of a function without its body, as the project's formatter writes them."""
    first = function.body[0]
    if ast.get_docstring(function) is not None:
        indent = " " * first.col_offset
        return [*lines[function.lineno - 1 : first.end_lineno], f"{indent}..."]
    head = lines[function.lineno - 1 : first.lineno - 1]
    while not head[-1].endswith(":"):  # a comment above the body's first line
        head.pop()
    return [*head[:-1], f"{head[-1]} ..."]
