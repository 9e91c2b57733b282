"""How alike two recordings are, frame against frame."""
