"""A scorecard as data, and the forms it runs in: Python, SQL, MLflow, files for elsewhere."""
