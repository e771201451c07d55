"""One package for each course edition: which files it asks for, and how they become the contract that probes speak."""
