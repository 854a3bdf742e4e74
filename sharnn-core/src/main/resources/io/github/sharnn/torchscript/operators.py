class Operators(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool
  def silu(self: __torch__.Operators,
    x: List[Tensor]) -> Tensor:
    return torch.silu(x[0])
  def norm(self: __torch__.Operators,
    g: List[Tensor]) -> Tensor:
    return torch.norm(torch.stack(torch._foreach_norm(g, 2, 6)))
  def scale(self: __torch__.Operators,
    g: List[Tensor],
    options: Tensor) -> Tensor:
    torch._foreach_mul_(g, float(torch.select(options, 0, 0)))
    return options
  def zero(self: __torch__.Operators,
    g: List[Tensor]) -> Tensor:
    torch._foreach_zero_(g)
    return g[0]
  def copy(self: __torch__.Operators,
    to: List[Tensor],
    values: List[Tensor]) -> Tensor:
    torch._foreach_copy_(to, values)
    return values[0]
  def lerp(self: __torch__.Operators,
    x: List[Tensor],
    end: List[Tensor],
    options: Tensor) -> Tensor:
    torch._foreach_lerp_(x, end, float(torch.select(options, 0, 0)))
    return options
  def exchange(self: __torch__.Operators,
    a: List[Tensor],
    b: List[Tensor]) -> Tensor:
    held = annotate(List[Tensor], [])
    for i in range(torch.len(a)):
      _0 = torch.append(held, torch.empty_like(a[i]))
    torch._foreach_copy_(held, a)
    torch._foreach_copy_(a, b)
    torch._foreach_copy_(b, held)
    return a[0]
  def descend(self: __torch__.Operators,
    p: List[Tensor],
    g: List[Tensor],
    options: Tensor) -> Tensor:
    g32 = annotate(List[Tensor], [])
    for i in range(torch.len(p)):
      _0 = torch.append(g32, torch.empty_like(p[i]))
    torch._foreach_copy_(g32, g)
    torch._foreach_add_(p, g32, alpha=torch.neg(float(torch.select(options, 0, 0))))
    torch._foreach_zero_(g)
    return options
  def lamb(self: __torch__.Operators,
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
    p_norm = torch.clamp_max(torch.stack(torch._foreach_norm(p, 2, 6)), maximum)
    g32 = annotate(List[Tensor], [])
    step = annotate(List[Tensor], [])
    for i in range(torch.len(p)):
      _0 = torch.append(g32, torch.empty_like(m[i]))
      _1 = torch.append(step, torch.empty_like(m[i]))
    torch._foreach_copy_(g32, g)
    torch._foreach_zero_(step)
    forever = torch.full_like(p_norm, 1000000000.)
    unscale = torch.full_like(torch.select(p_norm, 0, 0), torch.div(1., scale))
    torch._fused_adam_(step, g32, m, v, annotate(List[Tensor], []), torch.unbind(forever), lr=-1., beta1=beta1, beta2=beta2, weight_decay=0., eps=epsilon, amsgrad=False, maximize=False, grad_scale=unscale)
    torch._foreach_add_(step, p, alpha=decay)
    step_norm = torch.stack(torch._foreach_norm(step))
    defined = torch.gt(torch.mul(p_norm, step_norm), 0)
    ratio = torch.where(defined, torch.div(p_norm, step_norm), torch.ones_like(p_norm))
    change = torch.mul(torch.clamp_min(ratio, trust), torch.neg(rate))
    torch._foreach_mul_(step, torch.unbind(change))
    torch._foreach_add_(p, step)
    torch._foreach_zero_(g)
    return change
