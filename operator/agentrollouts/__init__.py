"""Ships AI agents as immutable bundles, judges them, and rolls them back in seconds."""
