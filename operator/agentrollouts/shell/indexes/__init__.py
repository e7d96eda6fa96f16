"""Parts of the cache that find objects by what they have in common. They import nothing else of the shell."""
