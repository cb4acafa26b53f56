"""Decodes a picture and encodes it anew, so that nothing but its pixels remains. Runs in a process of its own.

This package is imported by that process: standard library and Pillow only, to start in a tenth of a second.
"""
