"""Who uses the stack from outside: customers, and people or tools at the API server."""
