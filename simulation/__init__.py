"""A whole federation in this process."""
