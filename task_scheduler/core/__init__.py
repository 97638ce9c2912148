"""The pure core: values, decisions and the engine. No clock, thread, file, socket or log in here."""
