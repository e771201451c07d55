"""What the adapters of all courses share: importing a student's files, notebooks, signatures, devices, members."""
