"""Customers as files name them, with made-up personal data."""
