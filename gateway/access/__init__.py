"""Access: clients and what they may do, the tokens they are given, and the audit of both."""
