"""Cryptography on PyNaCl, made hard to misuse: bytes in, bytes out, entropy as an argument."""
