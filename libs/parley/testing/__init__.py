"""For those who test a service: the bench, builders, a clock, real servers, faults. Never imported by the product."""

from parley.testing.bench import TestBench
from parley.testing.virtual_clock import VirtualClock

__all__ = ["TestBench", "VirtualClock"]
