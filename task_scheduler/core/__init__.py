"""The pure core: values, decisions and the engine. No clock, thread, file or log in here."""
