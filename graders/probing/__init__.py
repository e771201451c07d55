"""What probes share. All of it runs in a guest, and knows no right answer."""
