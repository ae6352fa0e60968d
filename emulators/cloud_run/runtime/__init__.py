"""How instances run: as containers of an engine, or as plain processes. Who asks for one does not know which."""
