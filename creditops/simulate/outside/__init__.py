"""What others know of them: bureau, revenue, statements, invoices."""
