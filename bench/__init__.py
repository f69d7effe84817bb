"""``make bench``: what the workbook's speed is, beside a peer measured in the same run."""
