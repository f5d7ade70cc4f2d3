"""Known data sets and readers of your own files."""
