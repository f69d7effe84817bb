"""The peers of bench/grants.py, each asked for the leanest answer that its library can give.

`make bench` runs this in .venv/bench, where bench/requirements.txt is installed:
`python -m bench.peers parliament` reads a question from standard input and prints the answer.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable

from bench.metric import milliseconds

Grants = Callable[[str, list[str]], list[str]]


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
    grants = {"parliament": parliament, "policy_sentry": policy_sentry}[sys.argv[1]]()

    def answer() -> list[list[str]]:
        return [grants(text, question["restricted"]) for text in question["documents"]]

    print(json.dumps({"milliseconds": milliseconds(answer, times=3), "grants": answer()}))


if __name__ == "__main__":
    main()
