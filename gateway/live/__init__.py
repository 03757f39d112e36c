"""Live: what has just happened, told to those who may know of it, as a stream they hold open or by webhook."""
