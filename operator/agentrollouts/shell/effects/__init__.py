"""How decisions go out: writes, their pace, and Events."""
