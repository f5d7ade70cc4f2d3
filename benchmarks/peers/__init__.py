"""One module a peer: it reads a work, and trains it round by round as it is told."""
