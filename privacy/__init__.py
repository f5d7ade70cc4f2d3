"""Privacy events, mechanisms, accountants and the ledger."""
