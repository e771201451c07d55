"""What people read of a submission: its PDFs, pictures, notebooks, programs and texts, parsed in a guest."""
