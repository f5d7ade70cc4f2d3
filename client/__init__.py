"""What runs beside one person's data: local training, the private store, the Flower client."""
