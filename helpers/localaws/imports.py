"""Import this before MiniStack's services and moto: what must be in place by then.

moto's modules copy names from each other when they are imported (``from x import y``), and
two imports cost seconds for things that are not needed here.
"""

from __future__ import annotations

import sys
import types
from collections import deque
from enum import StrEnum

# jsonschema would compile a grammar of internationalized web addresses (1.8 s); SAM has none.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

# moto's AWS Batch integration imports moto's whole EC2 simulator (1.4 s) for one enumeration.
_batch = types.ModuleType("moto.batch.utils")
_JOB_STATUSES = "SUBMITTED PENDING RUNNABLE STARTING RUNNING SUCCEEDED FAILED".split()
_batch.JobStatus = StrEnum("JobStatus", {name: name for name in _JOB_STATUSES})
sys.modules.setdefault("moto.batch.utils", _batch)

from moto.stepfunctions.parser import utils  # noqa: E402

# moto keeps every thread it ever started; a server that runs for hours must not.
utils.TMP_THREADS = deque(maxlen=0)

from moto.stepfunctions.parser.asl.utils import boto_client  # noqa: E402

from helpers.localaws.clients import client_for  # noqa: E402

# moto calls its own mocks with made-up credentials; here a task calls the local AWS with the
# permissions of the state machine's role.
boto_client.boto_client_for = client_for
