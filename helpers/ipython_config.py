"""Copied into the virtual environment: every kernel explains the errors that learners meet."""

c = get_config()  # noqa: F821 - IPython defines it
c.InteractiveShellApp.extensions = ["helpers.errors"]
# Kernels talk over 127.0.0.1 only; a warning that others could listen in helps nobody here.
c.IPKernelApp.log_level = 40
