"""The programs that are built or unpacked before a sandbox starts."""
