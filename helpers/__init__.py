"""What the notebooks import: one noun a module.

Data flows one way: session -> stack -> incident -> history -> views.
"""
