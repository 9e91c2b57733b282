"""What the window does. Presenters hold no widgets; they see views as small protocols."""
