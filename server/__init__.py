"""Rounds, checkpoints, the ServerApp, and the deployment around them."""
