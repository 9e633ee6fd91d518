"""Drafts a contract, an adapter, a scorecard from a file that nobody described yet, and tries them."""
