"""The references that a federation must beat."""
