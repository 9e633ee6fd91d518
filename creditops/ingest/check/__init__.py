"""What is found wrong or personal in a row, before it is written."""
