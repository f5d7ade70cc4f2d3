"""Penchant: a recommender that learns what people like without collecting what they do."""

from importlib.metadata import version

__version__ = version("penchant")
