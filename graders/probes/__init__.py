"""What runs in the guest: small functions of (package, inputs) that return evidence and know no right answer."""
