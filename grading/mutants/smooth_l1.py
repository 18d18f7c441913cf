import torch


def _smooth(x, half=0.5, shift=0.5, bend=1.0):
    """Loss and gradient, with one classic mistake at a time."""
    small = x.abs() < bend
    return torch.where(small, half * x**2, x.abs() - shift), torch.where(small, x, x.sign())


def right_where(x):
    return _smooth(x)


def right_loop(x):
    losses, gradients = [], []
    for value in x.tolist():
        if -1 < value < 1:
            losses.append(0.5 * value * value)
            gradients.append(value)
        else:
            losses.append(abs(value) - 0.5)
            gradients.append(1.0 if value > 0 else -1.0)
    return torch.tensor(losses), torch.tensor(gradients)


def right_masks(x):
    x = x.double()
    loss, gradient, far = 0.5 * x * x, x.clone(), x.abs() >= 1
    loss[far] = x[far].abs() - 0.5
    gradient[far] = torch.sign(x[far])
    return [loss, gradient]


def right_clamp(x):
    gradient = x.clamp(-1, 1)
    return gradient * (x - gradient / 2), gradient


def right_autograd(x):
    y = x.clone().requires_grad_()
    loss = torch.where(y.abs() < 1, y**2 / 2, y.abs() - 0.5)
    loss.sum().backward()
    return loss, y.grad


def right_stacked(x):
    return torch.stack(_smooth(x))


def wrong_no_half(x):
    return _smooth(x, half=1.0)


def wrong_no_shift(x):
    return _smooth(x, shift=0.0)


def wrong_shift_of_one(x):
    return _smooth(x, shift=1.0)


def wrong_bend_at_a_half(x):
    return _smooth(x, bend=0.5)


def wrong_gradient_of_zero_inside(x):
    return _smooth(x)[0], torch.where(x.abs() < 1, 0 * x, x.sign())


def wrong_no_absolute_value_in_the_condition(x):
    small = x < 1
    return torch.where(small, 0.5 * x**2, x.abs() - 0.5), torch.where(small, x, torch.ones_like(x))


def wrong_no_absolute_value_in_the_loss(x):
    small = x.abs() < 1
    return torch.where(small, 0.5 * x**2, x - 0.5), torch.where(small, x, x.sign())


def wrong_gradient_without_sign(x):
    loss, gradient = _smooth(x)
    return loss, gradient.abs()


def wrong_gradient_of_one_beyond(x):
    loss, _ = _smooth(x)
    return loss, torch.where(x.abs() < 1, x, torch.ones_like(x))


def wrong_gradient_of_l2(x):
    return _smooth(x)[0], x


def wrong_doubled_gradient(x):
    loss, gradient = _smooth(x)
    return loss, torch.where(x.abs() < 1, 2 * x, gradient)


def wrong_loss_only(x):
    return _smooth(x)[0]


def wrong_summed(x):
    loss, gradient = _smooth(x)
    return loss.sum(), gradient


def wrong_mean(x):
    loss, gradient = _smooth(x)
    return loss.mean(), gradient / max(len(x), 1)


def wrong_order(x):
    return _smooth(x)[::-1]


def wrong_if_over_all(x):
    if (x.abs() < 1).all():
        return 0.5 * x**2, x
    return x.abs() - 0.5, x.sign()


def wrong_if(x):
    return (0.5 * x**2, x) if abs(x) < 1 else (abs(x) - 0.5, x.sign())


def wrong_not_a_number_at_zero(x):
    loss, _ = _smooth(x)
    return loss, x / x.abs() * x.abs().clamp(max=1)


def wrong_one_call(x):
    return torch.nn.functional.smooth_l1_loss(x, torch.zeros_like(x), reduction="none"), x.clamp(-1, 1)


def wrong_in_place(x):
    loss, gradient = _smooth(x)
    x[x.abs() < 1] = 0
    return loss, gradient
