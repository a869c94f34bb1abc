"""Secure aggregation, suite pairwise/1: the coordinator learns sums, and nothing of any one node.

Both parties side by side, without I/O: participant.py and coordinator.py hold what each knows in
one attempt, one method per step of the conversation; rounds/ decides when each is called.
"""
