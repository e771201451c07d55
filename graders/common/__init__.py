"""Code that several families of graders share: statistics, batches, image densities, latents and sample quality."""
