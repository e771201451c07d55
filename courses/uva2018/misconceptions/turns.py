"""The loop of both networks, and the noise: what is written in place of train(…) and draw_latents(n)."""

import torch

from graders.misconceptions import defaults, misconception

defaults("a3_gan_template.py:train", fails=("gan2018.alternation",))


@misconception
def gradients_left(dataloader, discriminator, generator, optimizer_G, optimizer_D):
    """You never clear the gradients, so that the discriminator follows the generator's loss too, and both follow all
    batches before. Call zero_grad() right before each backward()."""
    for _ in range(args.n_epochs):
        for imgs, _ in dataloader:
            real = imgs.view(len(imgs), -1)
            gen_imgs = generator(draw_latents(len(real)))
            generator_loss(discriminator(gen_imgs)).backward()
            optimizer_G.step()
            discriminator_loss(discriminator(real), discriminator(gen_imgs.detach())).backward()
            optimizer_D.step()


@misconception
def generators_gradients_left(dataloader, discriminator, generator, optimizer_G, optimizer_D):
    """The generator's backward() leaves gradients in the discriminator too, and you do not clear them after it: the
    discriminator then follows the generator's loss. Call optimizer_D.zero_grad() right before its own backward()."""
    for _ in range(args.n_epochs):
        for imgs, _ in dataloader:
            real = imgs.view(len(imgs), -1)
            optimizer_G.zero_grad()
            optimizer_D.zero_grad()
            gen_imgs = generator(draw_latents(len(real)))
            generator_loss(discriminator(gen_imgs)).backward()
            optimizer_G.step()
            discriminator_loss(discriminator(real), discriminator(gen_imgs.detach())).backward()
            optimizer_D.step()


@misconception(fails=("gan2018.alternation", "gan2018.discriminator_loss"))
def discriminator_never_stepped(dataloader, discriminator, generator, optimizer_G, optimizer_D):
    """The discriminator is never updated: call optimizer_D.step() after backward() on its loss."""
    for _ in range(args.n_epochs):
        for imgs, _ in dataloader:
            real = imgs.view(len(imgs), -1)
            optimizer_G.zero_grad()
            gen_imgs = generator(draw_latents(len(real)))
            generator_loss(discriminator(gen_imgs)).backward()
            optimizer_G.step()
            optimizer_D.zero_grad()
            discriminator_loss(discriminator(real), discriminator(gen_imgs.detach())).backward()


@misconception(fails=("gan2018.alternation", "gan2018.generator_loss"))
def generator_never_stepped(dataloader, discriminator, generator, optimizer_G, optimizer_D):
    """The generator is never updated: call optimizer_G.step() after backward() on its loss."""
    for _ in range(args.n_epochs):
        for imgs, _ in dataloader:
            real = imgs.view(len(imgs), -1)
            gen_imgs = generator(draw_latents(len(real)))
            optimizer_G.zero_grad()
            generator_loss(discriminator(gen_imgs)).backward()
            optimizer_D.zero_grad()
            discriminator_loss(discriminator(real), discriminator(gen_imgs.detach())).backward()
            optimizer_D.step()


@misconception(fails=("gan2018.generator_loss",))
def generator_detached(dataloader, discriminator, generator, optimizer_G, optimizer_D):
    """The generated images are detached in the generator's own loss, so that no gradient reaches it. Detach them for
    the discriminator only."""
    for _ in range(args.n_epochs):
        for imgs, _ in dataloader:
            real = imgs.view(len(imgs), -1)
            gen_imgs = generator(draw_latents(len(real))).detach()
            optimizer_G.zero_grad()
            generator_loss(discriminator(gen_imgs)).backward()
            optimizer_G.step()
            optimizer_D.zero_grad()
            discriminator_loss(discriminator(real), discriminator(gen_imgs)).backward()
            optimizer_D.step()


@misconception(fails=("gan2018.generator_loss",))
def real_images_for_the_generator(dataloader, discriminator, generator, optimizer_G, optimizer_D):
    """You train the generator on the discriminator's loss, including real images. Its own loss is −E log D(G(z)), with
    generated images that are labelled real."""
    for _ in range(args.n_epochs):
        for imgs, _ in dataloader:
            real = imgs.view(len(imgs), -1)
            gen_imgs = generator(draw_latents(len(real)))
            optimizer_G.zero_grad()
            discriminator_loss(discriminator(real), discriminator(gen_imgs)).backward()
            optimizer_G.step()
            optimizer_D.zero_grad()
            discriminator_loss(discriminator(real), discriminator(gen_imgs.detach())).backward()
            optimizer_D.step()


@misconception("a3_gan_template.py:draw_latents", fails=("gan2018.noise", "gan2018.interpolation"))
def uniform_latents(n):
    """You draw z uniformly between 0 and 1, as by torch.rand. It is drawn from N(0, I), as by torch.randn."""
    return torch.rand(n, LATENTS)


@misconception("a3_gan_template.py:draw_latents", fails=("gan2018.noise", "gan2018.interpolation"))
def one_latent_for_all(n):
    """You draw one z for the whole batch. Each image needs a z of its own."""
    return torch.randn(1, LATENTS).expand(n, -1)


defaults("a3_gan_template.py:interpolate", fails=("gan2018.interpolation",))


@misconception
def pixels_mixed(generator, steps=7):
    """You mix the pixels of two images. Mix their latents, and decode each mixture."""
    start, end = generator(draw_latents(2))
    return torch.stack([torch.lerp(start, end, weight) for weight in torch.linspace(0, 1, steps + 2)])


@misconception
def without_the_ends(generator, steps=7):
    """Your interpolation leaves out its ends. Nine images were asked for: both ends, and seven between them."""
    start, end = draw_latents(2)
    return generator(torch.lerp(start, end, torch.linspace(0, 1, steps + 2)[1:-1].unsqueeze(1)))


@misconception
def seven_images_with_both_ends(generator, steps=7):
    """Your interpolation has both ends, and five images between them. Nine were asked for: both ends, and seven between
    them."""
    start, end = draw_latents(2)
    return generator(torch.lerp(start, end, torch.linspace(0, 1, 7).unsqueeze(1)))


@misconception
def last_end_left_out(generator, steps=7):
    """Your interpolation has one image too few: it ends before the second latent. Let the weights run from 0 to 1, both
    included."""
    start, end = draw_latents(2)
    return generator(torch.lerp(start, end, (torch.arange(steps + 1) / (steps + 1)).unsqueeze(1)))


@misconception
def last_weight_too_small(generator, steps=7):
    """The weights of your interpolation are k/9 for k from 0 to 8, so that it stops one step before the second latent.
    Let them run from 0 to 1, both included."""
    start, end = draw_latents(2)
    return generator(torch.lerp(start, end, (torch.arange(steps + 2) / (steps + 2)).unsqueeze(1)))


@misconception
def random_walk(generator, steps=7):
    """The images of your interpolation are of latents drawn one by one. Draw two, and go from one to the other in even
    steps."""
    return generator(draw_latents(steps + 2))


@misconception
def great_circle(generator, steps=7):
    """Your latents go along a great circle. The interpolation that is asked for is along the straight line."""
    start, end = draw_latents(2)
    angle = torch.arccos(torch.nn.functional.cosine_similarity(start, end, dim=0))
    t = torch.linspace(0, 1, steps + 2).unsqueeze(1)
    return generator((torch.sin((1 - t) * angle) * start + torch.sin(t * angle) * end) / torch.sin(angle))


@misconception("a3_gan_template.py:train", fails=("gan2018.noise",))
def latents_of_all_batches(dataloader, discriminator, generator, optimizer_G, optimizer_D):
    """You draw z once, and use the same latents in all batches, so that the generator learns to make no images but
    those. Draw z anew for each batch, within the loop."""
    fixed = draw_latents(args.batch_size)
    for _ in range(args.n_epochs):
        for imgs, _ in dataloader:
            real = imgs.view(len(imgs), -1)
            gen_imgs = generator(fixed[: len(real)])
            optimizer_G.zero_grad()
            generator_loss(discriminator(gen_imgs)).backward()
            optimizer_G.step()
            optimizer_D.zero_grad()
            discriminator_loss(discriminator(real), discriminator(gen_imgs.detach())).backward()
            optimizer_D.step()


@misconception("a3_gan_template.py:train", fails=("gan2018.alternation",))
def cleared_before_step(dataloader, discriminator, generator, optimizer_G, optimizer_D):
    """You clear the gradients between backward() and step(), so that the gradients are zero in every step, and neither
    network learns. Call zero_grad() before backward()."""
    for _ in range(args.n_epochs):
        for imgs, _ in dataloader:
            real = imgs.view(len(imgs), -1)
            gen_imgs = generator(draw_latents(len(real)))
            generator_loss(discriminator(gen_imgs)).backward()
            optimizer_G.zero_grad()
            optimizer_G.step()
            discriminator_loss(discriminator(real), discriminator(gen_imgs.detach())).backward()
            optimizer_D.zero_grad()
            optimizer_D.step()


@misconception("a3_gan_template.py:train", fails=("gan2018.generator_loss",))
def both_losses_summed(dataloader, discriminator, generator, optimizer_G, optimizer_D):
    """Both of your losses are summed over the batch, so that they depend on its size. An expectation is estimated by
    the mean. This is one mistake, and counts once."""
    for _ in range(args.n_epochs):
        for imgs, _ in dataloader:
            real = imgs.view(len(imgs), -1)
            gen_imgs = generator(draw_latents(len(real)))
            optimizer_G.zero_grad()
            (len(real) * generator_loss(discriminator(gen_imgs))).backward()
            optimizer_G.step()
            optimizer_D.zero_grad()
            (len(real) * discriminator_loss(discriminator(real), discriminator(gen_imgs.detach()))).backward()
            optimizer_D.step()
