"""The guest's side of the wall: the only code of ours that shares a process with a student's.

It holds no expected value, no threshold and no secret, and nothing outside trusts what comes out of it.
"""
