"""The floor every service stands on: settings, databases, problems, principals, messages. No domain words."""
