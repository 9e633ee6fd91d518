"""What is known of a simulated book and hidden from the platform."""
