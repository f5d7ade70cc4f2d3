"""How clipped updates become the next shared head."""
