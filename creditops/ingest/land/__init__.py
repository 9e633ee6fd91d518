"""From a delivery to landed files in canonical form."""
