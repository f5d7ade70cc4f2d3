"""Penchant beside its peers: the same work, each peer in an environment of its own. See docs/engine.md."""
