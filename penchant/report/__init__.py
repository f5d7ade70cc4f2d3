"""From a saved run to JSON and HTML."""
