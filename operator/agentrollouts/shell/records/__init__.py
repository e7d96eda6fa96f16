"""The writing of records, on tasks and connections of its own: no traffic, answer or Event waits for it."""
