"""The people who may log in to the platform's services, one list for Airflow and MLflow."""

from __future__ import annotations

#: Name, and role in Airflow's simple auth manager; the password is secret ``airflow_<name>``.
PEOPLE = {"admin": "admin", "modeller": "user", "approver": "user"}
