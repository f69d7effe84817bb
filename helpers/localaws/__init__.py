"""The embedded AWS: a server process of its own, on 127.0.0.1 only.

MiniStack serves every service; moto's interpreter runs the state machines. ``README.md``
beside this file says what is joined where, and what is not like AWS.
"""

from helpers.localaws import record
from helpers.localaws.process import ensure, running, stop
from helpers.localaws.record import LocalAwsError, ServerRecord

__all__ = ["LocalAwsError", "ServerRecord", "ensure", "record", "running", "stop"]
