"""Into raw, with ledger and batches; and back out."""
