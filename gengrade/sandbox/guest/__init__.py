"""The code of ours that shares a process with a student's code, the guest.

Two properties are deliberate:

1. It holds no expected value, no threshold and no secret.
2. The host trusts nothing that comes from a guest.
"""
