# Operators over whole lists of tensors. They launch one kernel; a loop would launch one per tensor. The source is
# TorchScript as in a saved module: no imports, no class docstrings, and types as numbers (6 is FLOAT32). The argument
# numbers is always in host memory.
class Operators(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool

  def silu(self, x: List[Tensor]) -> Tensor:
    return torch.silu(x[0])

  def norm(self, gradients: List[Tensor]) -> Tensor:
    """The norm of all gradients together, in FLOAT32."""
    return torch.norm(torch.stack(torch._foreach_norm(gradients, 2, 6)))

  def stack(self, scalars: List[Tensor]) -> Tensor:
    return torch.stack(scalars)

  def to_host(self, x: List[Tensor], numbers: Tensor) -> Tensor:
    """Page-locked memory, full of numbers[0] until the device's copy of x[0] arrives. Does not wait for the device."""
    host = torch.full(x[0].size(), float(numbers[0]), dtype=6, pin_memory=True)
    return host.copy_(x[0], True)

  def to_device(self, like: List[Tensor], x: List[Tensor]) -> Tensor:
    """A copy of x[0] on the GPU of like[0]. Does not wait for the GPU."""
    return torch.empty_like(x[0], device=like[0].device).copy_(x[0].pin_memory(), True)

  def scale(self, gradients: List[Tensor], numbers: Tensor) -> Tensor:
    torch._foreach_mul_(gradients, float(numbers[0]))
    return numbers

  def zero(self, gradients: List[Tensor]) -> Tensor:
    torch._foreach_zero_(gradients)
    return gradients[0]

  def copy(self, to: List[Tensor], values: List[Tensor]) -> Tensor:
    torch._foreach_copy_(to, values)
    return values[0]

  def lerp(self, x: List[Tensor], end: List[Tensor], numbers: Tensor) -> Tensor:
    torch._foreach_lerp_(x, end, float(numbers[0]))
    return numbers

  def exchange(self, a: List[Tensor], b: List[Tensor]) -> Tensor:
    held = [torch.empty_like(x) for x in a]
    torch._foreach_copy_(held, a)
    torch._foreach_copy_(a, b)
    torch._foreach_copy_(b, held)
    return a[0]

  def square(self, sums: List[Tensor], gradients: List[Tensor], numbers: Tensor) -> Tensor:
    """Adds the squares of gradients to sums. numbers: the scale of the gradients."""
    g = [torch.empty_like(x) for x in sums]
    torch._foreach_copy_(g, gradients)
    torch._foreach_mul_(g, 1 / float(numbers[0]))
    torch._foreach_addcmul_(sums, g, g)
    torch._foreach_zero_(gradients)
    return numbers

  def root(self, sums: List[Tensor], numbers: Tensor) -> Tensor:
    """Turns sums of squares into root mean squares.

    Returns their mean and the sum of rms^2 / (rms + epsilon * mean).
    numbers: how many squares were summed, how many weights there are, epsilon.
    """
    squares, weights, epsilon = annotate(List[float], numbers.tolist())
    torch._foreach_div_(sums, squares)
    torch._foreach_sqrt_(sums)
    mean = torch.stack(torch._foreach_norm(sums, 1)).sum() / weights
    shares = torch._foreach_add(sums, float(mean * epsilon))
    torch._foreach_reciprocal_(shares)
    torch._foreach_mul_(shares, sums)
    torch._foreach_mul_(shares, sums)
    return torch.stack([mean, torch.stack(torch._foreach_norm(shares, 1)).sum()])

  def adapt(self, weights: List[Tensor], gradients: List[Tensor], end: List[Tensor], rms: List[Tensor],
      numbers: Tensor) -> Tensor:
    """Dynamic evaluation: w + min(1, decay * rms) * (end - w) - rate * g / (rms + epsilon)."""
    rate, decay, epsilon = annotate(List[float], numbers.tolist())
    back = torch._foreach_mul(rms, decay)
    torch._foreach_clamp_max_(back, 1.)
    torch._foreach_lerp_(weights, end, back)
    size = torch._foreach_add(rms, epsilon)
    g = [torch.empty_like(x) for x in weights]
    torch._foreach_copy_(g, gradients)
    torch._foreach_addcdiv_(weights, g, size, value=-rate)
    torch._foreach_zero_(gradients)
    return numbers

  def lamb(self, weights: List[Tensor], gradients: List[Tensor], means: List[Tensor], variances: List[Tensor],
      measured: List[Tensor], numbers: Tensor) -> Tensor:
    """One step of LAMB. Returns the rate of each weight.

    measured: scalars, first the norm of the gradients, by which they are clipped, then losses. If one of the scalars
    is not finite, the step changes only the gradients.
    """
    rescale, rate, beta1, beta2, epsilon, decay, trust, largest, clip = annotate(List[float], numbers.tolist())
    weight_norms = torch.stack(torch._foreach_norm(weights, 2, 6)).clamp_max(largest)
    w = [x.to(6) for x in weights]
    g = [torch.empty_like(x) for x in means]
    torch._foreach_copy_(g, gradients)
    step = torch._foreach_mul(w, decay)
    clipped = ((measured[0] * rescale + 1e-6).reciprocal() * clip).clamp_max(1.)
    skip = torch.stack(measured).isfinite().all().logical_not()
    # a step number so high that the bias corrections are 1
    forever = torch.full_like(weight_norms, 1000000000.)
    torch._fused_adam_(step, g, means, variances, annotate(List[Tensor], []), forever.unbind(), lr=-1., beta1=beta1,
        beta2=beta2, weight_decay=0., eps=epsilon, amsgrad=False, maximize=False,
        grad_scale=(clipped * rescale).reciprocal(), found_inf=skip.to(6))
    step_norms = torch.stack(torch._foreach_norm(step))
    ratios = torch.where(weight_norms * step_norms > 0, weight_norms / step_norms, torch.ones_like(weight_norms))
    # filled with 0, not multiplied by 0: an infinite rate times 0 is NaN
    rates = (ratios.clamp_min(trust) * -rate).masked_fill_(skip, 0)
    for weight, direction, own in zip(weights, step, rates.unbind()):
      weight.addcmul_(direction, own)
    torch._foreach_zero_(gradients)
    return rates

  def limits(self, measured: List[Tensor], rescale: float, clip: float) -> Tuple[Tensor, Tensor]:
    """Returns a divisor that rescales and clips the gradients, and 1 to skip the step, else 0.

    measured: scalars, first the norm of the gradients, then losses. A scalar that is not finite skips the step.
    """
    clipped = ((measured[0] * rescale + 1e-6).reciprocal() * clip).clamp_max(1.)
    skip = torch.stack(measured).isfinite().all().logical_not()
    return ((clipped * rescale).reciprocal(), skip.to(6))

  def adamw(self, weights: List[Tensor], gradients: List[Tensor], means: List[Tensor], variances: List[Tensor],
      measured: List[Tensor], numbers: Tensor) -> Tensor:
    """One step of AdamW with one rate for all weights. A skipped step changes only the gradients."""
    rescale, clip, rate, decay, cautious, beta1, beta2, epsilon, number = annotate(List[float], numbers.tolist())
    divisor, skip = self.limits(measured, rescale, clip)
    g = [torch.empty_like(x) for x in means]
    torch._foreach_copy_(g, gradients)
    step = [torch.zeros_like(x) for x in means]
    numbered = torch.full([len(g)], number, dtype=6, device=skip.device).unbind()
    torch._fused_adam_(step, g, means, variances, annotate(List[Tensor], []), numbered, lr=-1., beta1=beta1,
        beta2=beta2, weight_decay=0., eps=epsilon, amsgrad=False, maximize=False, grad_scale=divisor, found_inf=skip)
    if decay > 0:
      decayed = [x.to(6) for x in weights]
      if cautious > 0:
        same = torch._foreach_sign(torch._foreach_mul(decayed, step))
        torch._foreach_clamp_min_(same, 0.)
        decayed = torch._foreach_mul(decayed, same)
      torch._foreach_add_(step, decayed, alpha=decay)
    # filled with 0, not multiplied by 0: an infinite rate times 0 is NaN
    own = torch.full_like(skip, -rate).masked_fill_(skip > 0, 0)
    torch._foreach_mul_(step, own)
    torch._foreach_add_(weights, step)
    torch._foreach_zero_(gradients)
    return own

  def muon(self, weights: List[Tensor], gradients: List[Tensor], momenta: List[Tensor], measured: List[Tensor],
      numbers: Tensor) -> Tensor:
    """One step of Muon for matrices that are made of blocks of one shape. A skipped step changes only the gradients.

    numbers: also rows and columns of a block, the type to compute in, and three coefficients for each iteration.
    """
    values = annotate(List[float], numbers.tolist())
    rescale, clip, rate, decay, cautious, momentum, size, rows, columns, kind = values[:10]
    coefficients = values[10:]
    r = int(rows)
    c = int(columns)
    divisor, skip = self.limits(measured, rescale, clip)
    g = [torch.empty_like(x) for x in momenta]
    torch._foreach_copy_(g, gradients)
    u = [torch.zeros_like(x) for x in momenta]
    # u = g + momentum * sum: the Nesterov direction; a skipped step leaves 0
    torch._fused_sgd_(u, g, momenta, weight_decay=0., momentum=momentum, lr=-1., dampening=0., nesterov=momentum > 0,
        maximize=False, is_first_step=False, grad_scale=divisor, found_inf=skip)
    blocks = [x.view(-1, r, x.size(1) // c, c).transpose(1, 2).reshape(-1, r, c) for x in u]
    if r > c: # the products are smaller on the short side
      blocks = [x.transpose(1, 2) for x in blocks]
    counts = [x.size(0) for x in blocks]
    x = torch.empty([sum(counts), min(r, c), max(r, c)], dtype=int(kind), device=skip.device)
    each = annotate(List[Tensor], [])
    for block in blocks:
      each.extend(block.unbind())
    norms = torch.stack(torch._foreach_norm(each, 2, 6)).add_(1e-7 / (1 - momentum)).view(-1, 1, 1)
    for part, block, norm in zip(x.split(counts), blocks, norms.split(counts)):
      torch.div(block, norm, out=part)
    for i in range(len(coefficients) // 3):
      a = torch.bmm(x, x.transpose(1, 2))
      a = torch.baddbmm(a, a, a, beta=coefficients[3 * i + 1], alpha=coefficients[3 * i + 2])
      x = torch.baddbmm(x, a, x, beta=coefficients[3 * i])
    if r > c:
      x = x.transpose(1, 2)
    # filled with 0, not multiplied by 0: an infinite rate times 0 is NaN
    own = torch.full_like(skip, -rate * size).masked_fill_(skip > 0, 0)
    shrink = torch.full_like(skip, -rate * decay).masked_fill_(skip > 0, 0)
    for weight, part in zip(weights, x.split(counts)):
      step = part.reshape(-1, weight.size(1) // c, r, c).transpose(1, 2).reshape(weight.size())
      if decay > 0:
        weight.addcmul_(weight * (weight * step > 0) if cautious > 0 else weight, shrink)
      weight.addcmul_(step, own)
    torch._foreach_zero_(gradients)
    return own

  def surprise(self, arrays: List[Tensor], numbers: Tensor) -> Tensor:
    """Scores tokens. Returns FLOAT32 (4, N): log-probabilities, entropies, variances of -ln p, counts of likelier tokens.

    arrays: logits (N, V) and tokens (N, 1). numbers: rows to compute at once, and 1 to count or 0 to leave zeros.
    """
    at_once, count = annotate(List[float], numbers.tolist())
    logits, tokens = arrays
    parts = annotate(List[Tensor], [])
    for some, own in zip(logits.split(int(at_once)), tokens.split(int(at_once))):
      l = torch.log_softmax(some, -1, 6)
      p = l.exp()
      mine = l.gather(1, own)
      likelier = torch.sum(l > mine, [1], True, dtype=6) if count > 0 else torch.zeros_like(mine)
      entropy = torch.sum(l * p, [1], True).neg_()
      variance = torch.sum(l.add_(entropy).square_().mul_(p), [1], True)
      parts.append(torch.cat([mine, entropy, variance, likelier], 1))
    return torch.cat(parts).t().contiguous()
