"""A trunk from scratch, taught by two networks: what is where in a picture, and the joints."""
