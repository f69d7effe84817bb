"""Who judges the documents of bench/grants.py, each in a process of its own and as lean as it can.

`python -m bench.judges parliament` reads a question from standard input and prints the answer. The
peers are in .venv/bench, where `make bench` installs bench/requirements.txt.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

from bench.metric import milliseconds

CHECKER = Path("app/functions/validate_policy/policy_grants.py")
Grants = Callable[[str, list[str]], list[str]]


def workbook() -> Grants:
    """Ask the app's own checker."""
    spec = importlib.util.spec_from_file_location("policy_grants", CHECKER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.restricted_grants


def parliament() -> Grants:
    """Ask for the resources that an action is allowed on, and leave out what is linting."""
    warnings.simplefilter("ignore")  # it is loaded with pkg_resources, which warns of its end
    import jsoncfg
    from parliament.misc import make_list
    from parliament.policy import Policy
    from parliament.statement import Statement

    def grants(text: str, restricted: list[str]) -> list[str]:
        policy = Policy(jsoncfg.loads_config(text))
        for element in make_list(policy.policy_json["Statement"]):
            statement = Statement(element, analyze=False)
            statement.effect_allow = element["Effect"].value == "Allow"
            policy.statements.append(statement)
        return [e for e in restricted if policy.get_allowed_resources(*e.split(":"))]

    return grants


def policy_sentry() -> Grants:
    """Ask for the actions that the allowing statements' wildcards stand for."""
    from policy_sentry.analysis.expand import determine_actions_to_expand
    from policy_sentry.util.policy_files import get_actions_from_statement

    def grants(text: str, restricted: list[str]) -> list[str]:
        found = json.loads(text)["Statement"]
        actions: set[str] = set()
        for statement in found if isinstance(found, list) else [found]:
            actions |= set(determine_actions_to_expand(get_actions_from_statement(statement)))
        return [entry for entry in restricted if entry in actions]

    return grants


def main() -> None:
    """Answer `{"restricted": [...], "documents": [...]}` with the milliseconds and the grants."""
    question = json.load(sys.stdin)
    judges = {judge.__name__: judge for judge in (workbook, parliament, policy_sentry)}
    grants = judges[sys.argv[1]]()

    def answer() -> list[list[str]]:
        return [grants(text, question["restricted"]) for text in question["documents"]]

    print(json.dumps({"milliseconds": milliseconds(answer), "grants": answer()}))


if __name__ == "__main__":
    main()
