"""``make lint``: no credential is in the tree. Looks at every file that git would commit."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

# AWS's access keys, secret keys after their usual names, and private keys.
SUSPECTS = [
    # AWS's own documentation writes AKIA…EXAMPLE.
    re.compile(r"\b(?:AKIA|ASIA)(?![A-Z2-7]{9}EXAMPLE)[A-Z2-7]{16}\b"),
    re.compile(r"(?i)aws_secret_access_key\s*[=:]\s*[\"']?[A-Za-z0-9/+]{40}\b"),
    re.compile(r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----"),
]
HARMLESS = "AKIAREALREALREALREAL"  # a made-up key in a test


def main() -> int:
    """Print each suspicious line; return 1 if there is any."""
    names = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    found = [line for name in names for line in suspicious(Path(name))]
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


def suspicious(path: Path) -> list[str]:
    """Return ``file:line`` for each line that looks like a credential."""
    try:
        lines = path.read_text().splitlines()
    except (UnicodeDecodeError, FileNotFoundError):
        return []
    return [
        f"{path}:{number}: looks like a credential"
        for number, line in enumerate(lines, 1)
        if any(suspect.search(line.replace(HARMLESS, "")) for suspect in SUSPECTS)
    ]


if __name__ == "__main__":
    sys.exit(main())
