"""The Flower server: rounds, checkpoints, evaluation."""
