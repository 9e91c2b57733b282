"""How good an encoder is: the published protocol, what a clock cannot win, and their controls."""
