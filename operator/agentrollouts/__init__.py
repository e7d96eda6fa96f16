"""Ships AI agents as immutable bundles, judges them, and takes them back in seconds."""
