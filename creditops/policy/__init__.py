"""Credit policy as data (domain.md#policy): versions with validity: standards, limits, collections."""

from creditops.policy.version import PolicyVersion, load_policies, policy_before, policy_in_force

__all__ = ["PolicyVersion", "load_policies", "policy_before", "policy_in_force"]
