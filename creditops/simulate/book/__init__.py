"""What is sold to them, how they pay, and how it ends."""
