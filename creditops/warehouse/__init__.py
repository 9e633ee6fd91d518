"""The PostgreSQL warehouse: addresses, roles, schemas, run log."""

from creditops.warehouse.connection import OWNER, ROLES, Address, address, connect, credentials, url

__all__ = ["OWNER", "ROLES", "Address", "address", "connect", "credentials", "url"]
