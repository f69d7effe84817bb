"""What becomes of an answer in 07: IAM judges it by mallory's real calls, and the guard, too."""

from __future__ import annotations

from botocore.exceptions import ClientError

from helpers import attack, exercise, incident, policy
from helpers.attack import Document, Validator
from helpers.exercise import Wrong
from helpers.incident import Mallory

WANTED = "s3:DeleteBucket"
READING = {"Effect": "Allow", "Action": ["s3:Get*"], "Resource": "*"}
# None of these is shown: a validator is to understand, not to know a list.
MORE: dict[str, Document] = {
    "a mixture": {
        "Version": "2012-10-17",
        "Statement": [READING, {**READING, "Action": ["iam:List*", "S3:delete?bject"]}],
    },
    "everything but reading": {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "NotAction": ["S3:GET*", "iam:*"], "Resource": "*"},
    },
    "one action as text": {
        "Version": "2012-10-17",
        "Statement": [READING, {**READING, "Action": "s3:Delete*"}],
    },
    "everything but deleting": {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "NotAction": "s3:DELETE*", "Resource": "*"}],
    },
    "a deny for some": {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": ["s3:DeleteObject"], "Resource": "*"},
            {
                "Effect": "Deny",
                "Action": "*",
                "Resource": "*",
                "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "false"}},
            },
        ],
    },
    "reading and nothing else": {
        "Version": "2012-10-17",
        "Statement": [
            {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
            {"Effect": "Deny", "NotAction": ["s3:Get*", "s3:List*"], "Resource": "*"},
        ],
    },
}


@exercise.check
def attack_of_your_own(mallory: Mallory, naive: Validator, document: Document) -> str:
    """Judge a document that is to get past the naive validator and lets mallory delete buckets."""
    restricted = _restricted(mallory)
    may = _allowed(mallory, document, restricted)
    if WANTED not in may:
        raise Wrong(_harmless(document))
    said = attack.ask(naive, document, restricted)
    if said and not isinstance(said, str):
        raise Wrong(
            "mallory could delete a bucket with it, but the naive validator finds "
            f"{', '.join(said)}: it looks for these letters in the list of the first statement."
        )
    if _known(document):
        raise Wrong("It works, but it is one of the documents of the table: find another way.")
    how = f"it {said}" if said else "it finds nothing"
    return (
        f"The naive validator does not stop this one ({how}), and IAM let mallory through: "
        f"{', '.join(may)}. The guard says {', '.join(policy.grants(document, restricted))}."
    )


@exercise.check
def looks_dangerous(mallory: Mallory, naive: Validator, document: Document) -> str:
    """Judge a document that the naive validator refuses, and that grants nothing restricted."""
    restricted = _restricted(mallory)
    may = _allowed(mallory, document, restricted)
    if may:
        raise Wrong(f"It is dangerous: with it mallory can do {', '.join(may)}.")
    granted = policy.grants(document, restricted)
    if granted:
        raise Wrong(
            f"mallory got nowhere with it here, but the guard still finds {', '.join(granted)}: "
            "somewhere, or under some condition, it is allowed."
        )
    said = attack.ask(naive, document, restricted)
    if isinstance(said, str):
        raise Wrong(f"The naive validator {said}. It is to read the document, and to be wrong.")
    if not said:
        raise Wrong("It does not look dangerous: the naive validator finds nothing in it either.")
    if not policy.grants(document, ["s3:GetObject"]):
        raise Wrong(
            "It is harmless, and looks dangerous. But it is of no use to anybody: it is to allow "
            "s3:GetObject as well."
        )
    if _known(document):
        raise Wrong("That is one of the documents of the table: write one of your own.")
    return (
        f"The naive validator would raise the alarm over {', '.join(said)} and keep somebody "
        "from working. IAM refuses those actions to mallory all the same, and the guard knows."
    )


@exercise.check
def better(mallory: Mallory, validator: Validator) -> str:
    """Judge a validator: on the documents of the lesson first, then on others."""
    restricted = _restricted(mallory)
    given = {
        "the first bad policy": incident.DOCUMENT,
        **attack.documents("sly"),
        **attack.documents("good"),
        **MORE,
    }
    for name, document in given.items():
        _compare(name, attack.ask(validator, document, restricted), document, restricted)
    return (
        f"It says of {len(given)} documents what the guard says of them, and {len(MORE)} of these "
        "were new to it."
    )


def _compare(name: str, said: list[str] | str, document: Document, restricted: list[str]) -> None:
    """Raise Wrong where a validator does not say what the guard says of a document."""
    granted = policy.grants(document, restricted)
    if isinstance(said, str):
        raise Wrong(f"At {name!r} it {said}. A validator that stops lets everything pass.")
    if not isinstance(said, list):
        raise TypeError(f"it returned {said!r} and not a list")
    missed = [entry for entry in granted if entry not in said]
    if missed:
        raise Wrong(f"{name!r} gets past it: the document grants {', '.join(missed)}.")
    refused = [entry for entry in said if entry not in granted]
    if refused:
        raise Wrong(f"{name!r} is refused for {', '.join(refused)}, which it does not grant.")
    if said != granted:
        raise Wrong(f"Of {name!r} it says {said}: each action once, in the order of `restricted`.")


def _restricted(mallory: Mallory) -> list[str]:
    return policy.restricted_actions(mallory.session)


def _allowed(mallory: Mallory, document: Document, restricted: list[str]) -> list[str]:
    try:
        return attack.allowed(mallory, document, restricted)
    except ClientError as error:
        if error.response["Error"]["Code"] != "MalformedPolicyDocument":
            raise
        said = error.response["Error"]["Message"]
        raise Wrong(f"IAM takes no such document: {said}. So nobody can attack with it.") from error


def _harmless(document: Document) -> str:
    """Say why a document does not let mallory delete the bucket."""
    if policy.grants(document, [WANTED]):
        return (
            f"It grants {WANTED} somewhere, or under some condition; but not to mallory, on this "
            "bucket, now. Leave the Condition out, and take every Resource."
        )
    allows = [s for s in _statements(document) if s.get("Effect") == "Allow"]
    if policy.grants({**document, "Statement": allows or [READING]}, [WANTED]):
        return f"A Deny takes {WANTED} away again: an explicit deny wins, wherever it stands."
    return f"It gets mallory nowhere: nothing in it grants {WANTED}."


def _statements(document: Document) -> list[Document]:
    found = document["Statement"]
    return found if isinstance(found, list) else [found]


def _known(document: Document) -> bool:
    known = [incident.DOCUMENT, *attack.documents("sly").values()]
    known += attack.documents("good").values()
    return any(not policy.difference(document, other) for other in known)
