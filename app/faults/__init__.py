"""What goes wrong, said to the user in a sentence; the log; the watchdog of the event loop."""
