"""How right the graders are: wrong answers that are caught and named, right ones that pass, and how often by chance."""
