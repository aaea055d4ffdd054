"""What to collect next: beliefs, acquisition rules, allocation, leases, ledger."""
