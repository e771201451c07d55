"""MIT 6.S184, Generative AI with stochastic differential equations, labs of 2025 and 2026: our declaration of it."""
