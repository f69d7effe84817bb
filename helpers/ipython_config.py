"""Copied into the virtual environment: every kernel explains the errors that learners meet."""

c = get_config()  # noqa: F821 - IPython defines it
c.InteractiveShellApp.extensions = ["helpers.errors"]
