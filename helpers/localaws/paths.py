"""JSONPath as Step Functions has it: a path to one place is its value, any other a list.

https://docs.aws.amazon.com/step-functions/latest/dg/amazon-states-language-paths.html
"""

from __future__ import annotations

import functools
import re
import sys
from typing import Any

from moto.stepfunctions.parser.asl.utils import json_path

# Wildcards, slices, unions, filters and descent: however many match, the answer is a list.
_MANY = re.compile(r"\.\.|\*|\[\?|\[[^\]'\"]*[:,]")


def install() -> None:
    """Let moto's states read paths here; it makes a list of ``$.list[0].name``."""
    # Each use of a path parses it anew, 0.4 ms each; a definition has the same few all the time.
    json_path.parse = functools.lru_cache(maxsize=1024)(json_path.parse)
    original = json_path.extract_json
    for name, module in list(sys.modules.items()):
        if name.startswith("moto.stepfunctions") and vars(module).get("extract_json") is original:
            module.extract_json = extract


def extract(path: str, data: Any) -> Any:
    """Return what is at ``path``; raise moto's NoSuchJsonPathError where one place is not there."""
    found = [match.value for match in json_path.parse(path).find(data)]
    if _MANY.search(path):
        return found
    if not found:
        raise json_path.NoSuchJsonPathError(json_path=path, data=data)
    return found[0]
