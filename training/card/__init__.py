"""The model card of an encoder that ``make encoder`` made."""
