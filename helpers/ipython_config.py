"""Copied into the virtual environment: what every kernel starts with (kernel.py)."""

c = get_config()  # noqa: F821 - IPython defines it
c.InteractiveShellApp.extensions = ["helpers.kernel"]
# Kernels talk over 127.0.0.1 only; a warning that others could listen in helps nobody here.
c.IPKernelApp.log_level = 40
