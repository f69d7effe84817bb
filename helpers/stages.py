"""A state's data, step by step: what went in, what each field made of it, what came out.

https://docs.aws.amazon.com/step-functions/latest/apireference/API_InspectionData.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from helpers.errors import WorkbookError
from helpers.table import table

_STEPS = {
    "input": "the input",
    "afterInputPath": "after InputPath",
    "afterParameters": "after Parameters",
    "afterArguments": "after Arguments",
    "result": "the result",
    "afterResultSelector": "after ResultSelector",
    "afterResultPath": "after ResultPath",
    "variables": "the variables",
}
AS_BEFORE = "as before"
_SHOWN_WHOLE = ("input", "result", "variables")  # these are made of nothing that is above them


@dataclass(frozen=True)
class Stages:
    """The steps in their order, each with its name and its data as JSON text."""

    rows: list[tuple[str, str]]

    def __getitem__(self, step: str) -> str:
        return dict(self.rows)[step]

    def __repr__(self) -> str:
        width = max(len(name) for name, _ in self.rows)
        return "\n".join(f"{name:<{width}}  {data}" for name, data in self.rows)

    def _repr_html_(self) -> str:
        return table(("", "The data"), self.rows)


def of(tested: Mapping[str, Any]) -> Stages:
    """Return the steps of an answer of TestState.

    Raises WorkbookError where it was not asked for them with ``inspectionLevel="DEBUG"``.
    """
    if "inspectionData" not in tested:
        raise WorkbookError('There are no steps to see: test it with inspectionLevel="DEBUG".')
    return Stages(list(_rows(tested)))


def _rows(tested: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    seen, before = tested["inspectionData"], ""
    for step, name in _STEPS.items():
        if step in seen:
            text = _text(seen[step])
            same = text == before and step not in _SHOWN_WHOLE
            yield name, AS_BEFORE if same else text
            before = text
    if "output" in tested:
        yield "the output", _text(tested["output"])
    else:
        yield "the error", f"{tested.get('error')}: {tested.get('cause')}"


def _text(data: str) -> str:
    return json.dumps(json.loads(data), ensure_ascii=False)
