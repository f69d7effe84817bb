"""What `helpers.graph` is made of: a definition's machine, its place on paper, and its drawing."""
