"""Embeddings of recordings and their store on disk."""
