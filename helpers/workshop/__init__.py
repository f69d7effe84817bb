"""A workshop: one room, one JupyterHub, one local AWS, and a place for each learner."""
