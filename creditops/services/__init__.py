"""The services a platform needs beside it: PostgreSQL, MLflow and Airflow.

:mod:`~creditops.services.lifecycle` starts and stops them for one home, :mod:`.addresses` says
where they listen, :mod:`.airflow_api` and :mod:`.follow` speak to Airflow, :mod:`.doctor` checks
the machine. In a deployment other people run the services; ``CREDITOPS_DATABASE_URL``,
``CREDITOPS_MLFLOW_URL`` and ``CREDITOPS_AIRFLOW_URL`` then name them and nothing is started here.
"""
