"""Tests of the local AWS. What they share may fail with as many words as they do."""

import pytest

pytest.register_assert_rewrite("tests.localaws.histories", "tests.localaws.lessons")
