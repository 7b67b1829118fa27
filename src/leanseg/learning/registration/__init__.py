"""Affine and diffeomorphic registration of one scan to another."""
