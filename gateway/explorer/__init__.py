"""Explorer: pages for people, made on the server; they need no JavaScript and nothing from elsewhere."""
