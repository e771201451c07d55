"""What is checked, a folder for each family of models.

In a family's folder, `checks.py` (and further files, by subject) hold what the host checks, `probes.py` what a guest
asks student code, `interface.py` what it asks an adapter for, and `symptoms.py` what of the answers is compared between
wrong ones. `common` is shared by families'
checks, `probing` by their probes, `adapting` by courses' adapters.
"""
