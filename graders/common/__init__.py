"""What several families share: statistics, batches, densities of images, latents, samples and their quality."""
