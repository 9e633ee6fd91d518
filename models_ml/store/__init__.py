"""Registered versions: their rows in the warehouse, their files in MLflow, running their code."""
