class Kernels(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool
  def norm(self: __torch__.Kernels,
    g: List[Tensor]) -> Tensor:
    return torch.norm(torch.stack(torch._foreach_norm(g, 2, 6)))
  def scale(self: __torch__.Kernels,
    g: List[Tensor],
    options: Tensor) -> Tensor:
    torch._foreach_mul_(g, float(torch.select(options, 0, 0)))
    return options
  def zero(self: __torch__.Kernels,
    g: List[Tensor]) -> Tensor:
    torch._foreach_zero_(g)
    return g[0]
  def copy(self: __torch__.Kernels,
    to: List[Tensor],
    values: List[Tensor]) -> Tensor:
    torch._foreach_copy_(to, values)
    return values[0]
  def lamb(self: __torch__.Kernels,
    p: List[Tensor],
    g: List[Tensor],
    m: List[Tensor],
    v: List[Tensor],
    options: Tensor) -> Tensor:
    scale = float(torch.select(options, 0, 0))
    rate = float(torch.select(options, 0, 1))
    beta1 = float(torch.select(options, 0, 2))
    beta2 = float(torch.select(options, 0, 3))
    epsilon = float(torch.select(options, 0, 4))
    decay = float(torch.select(options, 0, 5))
    trust = float(torch.select(options, 0, 6))
    maximum = float(torch.select(options, 0, 7))
    g32 = annotate(List[Tensor], [])
    for i in range(torch.len(g)):
      _0 = torch.append(g32, torch.to(g[i], 6, False, True))
    torch._foreach_mul_(g32, scale)
    torch._foreach_mul_(m, beta1)
    torch._foreach_add_(m, g32, alpha=torch.sub(1., beta1))
    torch._foreach_mul_(v, beta2)
    torch._foreach_addcmul_(v, g32, g32, torch.sub(1., beta2))
    root = torch._foreach_sqrt(v)
    torch._foreach_add_(root, epsilon)
    step = torch._foreach_div(m, root)
    torch._foreach_add_(step, p, alpha=decay)
    p_norm = torch.clamp_max(torch.stack(torch._foreach_norm(p)), maximum)
    step_norm = torch.stack(torch._foreach_norm(step))
    defined = torch.gt(torch.mul(p_norm, step_norm), 0)
    ratio = torch.where(defined, torch.div(p_norm, step_norm), torch.ones_like(p_norm))
    change = torch.mul(torch.clamp_min(ratio, trust), torch.neg(rate))
    torch._foreach_mul_(step, torch.unbind(change))
    torch._foreach_add_(p, step)
    torch._foreach_zero_(g)
    return change
