"""Injected faults: what goes wrong with deliveries, put into simulated files on purpose.

Each fault declares what the source contracts demand of it, so that a test can hold the loader to it.
"""

from creditops.simulate.faults.catalogue import FAULTS, find_faults
from creditops.simulate.faults.fault import Fault, Outcome
from creditops.simulate.faults.injection import Injected, clear_faults, inject_faults

__all__ = ["FAULTS", "Fault", "Injected", "Outcome", "clear_faults", "find_faults", "inject_faults"]
