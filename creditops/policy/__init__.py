"""Credit policy as data (DOMAIN 8): versions with validity, standards, limit rules, collection strategy."""

from creditops.policy.version import PolicyVersion, load_policies, policy_before, policy_in_force

__all__ = ["PolicyVersion", "load_policies", "policy_before", "policy_in_force"]
