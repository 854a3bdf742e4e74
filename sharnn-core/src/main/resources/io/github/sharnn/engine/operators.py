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
  # Adds squares of gradients, over their scale, to sums.
  def square(self: __torch__.Operators,
    sums: List[Tensor],
    g: List[Tensor],
    options: Tensor) -> Tensor:
    unscale = torch.div(1., float(torch.select(options, 0, 0)))
    g32 = annotate(List[Tensor], [])
    for i in range(torch.len(sums)):
      _0 = torch.append(g32, torch.empty_like(sums[i]))
    torch._foreach_copy_(g32, g)
    torch._foreach_mul_(g32, unscale)
    torch._foreach_addcmul_(sums, g32, g32)
    torch._foreach_zero_(g)
    return options
  # Makes sums of squares root mean squares; returns their mean m and the sum of rms^2 / (rms + epsilon m).
  # options: what the sums are of, the number of all weights, epsilon
  def root(self: __torch__.Operators,
    sums: List[Tensor],
    options: Tensor) -> Tensor:
    torch._foreach_div_(sums, float(torch.select(options, 0, 0)))
    torch._foreach_sqrt_(sums)
    mean = torch.div(torch.sum(torch.stack(torch._foreach_norm(sums, 1))), float(torch.select(options, 0, 1)))
    shares = torch._foreach_add(sums, float(torch.mul(mean, float(torch.select(options, 0, 2)))))
    torch._foreach_reciprocal_(shares)
    torch._foreach_mul_(shares, sums)
    torch._foreach_mul_(shares, sums)
    return torch.stack([mean, torch.sum(torch.stack(torch._foreach_norm(shares, 1)))])
  # p + min(1, decay rms) (end - p) - rate g / (rms + epsilon)
  def adapt(self: __torch__.Operators,
    p: List[Tensor],
    g: List[Tensor],
    end: List[Tensor],
    rms: List[Tensor],
    options: Tensor) -> Tensor:
    back = torch._foreach_mul(rms, float(torch.select(options, 0, 1)))
    torch._foreach_clamp_max_(back, 1.)
    torch._foreach_lerp_(p, end, back)
    size = torch._foreach_add(rms, float(torch.select(options, 0, 2)))
    g32 = annotate(List[Tensor], [])
    for i in range(torch.len(p)):
      _0 = torch.append(g32, torch.empty_like(p[i]))
    torch._foreach_copy_(g32, g)
    torch._foreach_addcdiv_(p, g32, size, value=torch.neg(float(torch.select(options, 0, 0))))
    torch._foreach_zero_(g)
    return options
  # measured: the norm of g, then losses, 0-dimensional. g is clipped by the norm; where one of them is not finite
  # nothing changes but g.
  def lamb(self: __torch__.Operators,
    p: List[Tensor],
    g: List[Tensor],
    m: List[Tensor],
    v: List[Tensor],
    measured: List[Tensor],
    options: Tensor) -> Tensor:
    rescale = float(torch.select(options, 0, 0))
    rate = float(torch.select(options, 0, 1))
    beta1 = float(torch.select(options, 0, 2))
    beta2 = float(torch.select(options, 0, 3))
    epsilon = float(torch.select(options, 0, 4))
    decay = float(torch.select(options, 0, 5))
    trust = float(torch.select(options, 0, 6))
    maximum = float(torch.select(options, 0, 7))
    clip = float(torch.select(options, 0, 8))
    p_norm = torch.clamp_max(torch.stack(torch._foreach_norm(p, 2, 6)), maximum)
    p32 = annotate(List[Tensor], [])
    g32 = annotate(List[Tensor], [])
    for i in range(torch.len(p)):
      _0 = torch.append(p32, torch.to(p[i], 6))
      _1 = torch.append(g32, torch.empty_like(m[i]))
    torch._foreach_copy_(g32, g)
    step = torch._foreach_mul(p32, decay)
    forever = torch.full_like(p_norm, 1000000000.)
    norm = torch.mul(measured[0], rescale)
    clipped = torch.clamp_max(torch.mul(torch.reciprocal(torch.add(norm, 9.9999999999999995e-07)), clip), 1.)
    unscale = torch.reciprocal(torch.mul(clipped, rescale))
    skip = torch.logical_not(torch.all(torch.isfinite(torch.stack(measured))))
    torch._fused_adam_(step, g32, m, v, annotate(List[Tensor], []), torch.unbind(forever), lr=-1., beta1=beta1, beta2=beta2, weight_decay=0., eps=epsilon, amsgrad=False, maximize=False, grad_scale=unscale, found_inf=torch.to(skip, 6))
    step_norm = torch.stack(torch._foreach_norm(step))
    defined = torch.gt(torch.mul(p_norm, step_norm), 0)
    ratio = torch.where(defined, torch.div(p_norm, step_norm), torch.ones_like(p_norm))
    # filled, not multiplied: a rate so high that this is infinite would make it NaN
    change = torch.masked_fill_(torch.mul(torch.clamp_min(ratio, trust), torch.neg(rate)), skip, 0)
    changes = torch.unbind(change)
    for i in range(torch.len(p)):
      _2 = torch.addcmul_(p[i], step[i], changes[i])
    torch._foreach_zero_(g)
    return change
  # vector: one row on a CPU, where a matrix times a vector runs on one thread and a batch of eight on all of them
  def affine(self: __torch__.Operators,
    x: Tensor,
    weight: Tensor,
    bias: Tensor,
    vector: bool) -> Tensor:
    n = torch.size(weight, 0)
    if torch.__not__(vector):
      y = torch.addmm(bias, x, torch.t(weight))
    elif torch.__and__(torch.ge(torch.numel(weight), 131072), torch.eq(torch.remainder(n, 8), 0)):
      rows = torch.transpose(torch.view(weight, [8, torch.floordiv(n, 8), -1]), 1, 2)
      y = torch.view(torch.baddbmm(torch.view(bias, [8, 1, -1]), torch.expand(x, [8, 1, -1]), rows), [1, n])
    else:
      y = torch.unsqueeze(torch.addmv(torch.view(bias, [-1]), weight, torch.select(x, 0, 0)), 0)
    return y
  def lstm(self: __torch__.Operators,
    x: Tensor,
    hidden: Tensor,
    cell: Tensor,
    w: List[Tensor],
    vector: bool) -> Tuple[Tensor, Tensor]:
    gates = x
    if torch.gt(torch.numel(w[2]), 0):
      normed, _0, _1 = torch.native_layer_norm(x, [torch.size(x, 1)], w[0], w[1], 1e-12)
      gates = (self).affine(normed, w[2], w[3], vector)
    if ops.prim.is_cuda(x):
      y, next, _2 = torch._thnn_fused_lstm_cell(gates, torch.mm(hidden, torch.t(w[4])), cell)
    else:
      i, f, g, o = torch.chunk((self).affine(hidden, w[4], gates, vector), 4, 1)
      next = torch.addcmul(torch.mul(torch.sigmoid(f), cell), torch.sigmoid(i), torch.tanh(g))
      y = torch.mul(torch.sigmoid(o), torch.tanh(next))
    return (y, next)
  def attend(self: __torch__.Operators,
    h: Tensor,
    x: Tensor,
    keys: Tensor,
    values: Tensor,
    w: List[Tensor],
    mask: Tensor,
    slot: int,
    used: int,
    vector: bool) -> Tensor:
    size = [torch.size(h, 1)]
    m, _0, _1 = torch.native_layer_norm(x, size, w[5], w[6], 1e-12)
    q, _2, _3 = torch.native_layer_norm((self).affine(h, w[9], w[10], vector), size, w[11], w[12], 1e-12)
    key = m
    if torch.gt(torch.numel(w[13]), 0):
      key = (self).affine(m, w[13], w[14], vector)
    _4 = torch.copy_(torch.select(keys, 1, slot), key)
    if torch.gt(torch.numel(values), 0):
      value = m
      if torch.gt(torch.numel(w[15]), 0):
        value = (self).affine(m, w[15], w[16], vector)
      _5 = torch.copy_(torch.select(values, 1, slot), value)
    else:
      values = keys
    scores = torch.bmm(torch.unsqueeze(q, 1), torch.transpose(torch.slice(keys, 1, 0, used), 1, 2))
    if torch.gt(torch.numel(mask), 0):
      scores = torch.add(scores, torch.unsqueeze(torch.slice(mask, 1, 0, used), 1))
    context = torch.bmm(torch.softmax(scores, -1), torch.slice(values, 1, 0, used))
    return torch.addcmul(h, torch.squeeze(context, 1), w[17])
  # One token of each stream. recurrent: hidden and cell of each layer, overwritten. rings: the mask, empty where all
  # are full; keys and values of each layer, values empty where they are the keys. options: the slot to write, how many
  # to look at, the tokens. weights, as DecoderWeights lists them, empty where a layer has no such part: what tokens
  # are looked up in, output matrix and bias, ones; then of each layer start norm 0, input gates 2, their bias 3, hidden
  # gates 4, memory norm 5, middle norm 7, query 9 and its norm 11, key 13, value 15, value scale 17, Boom's norm 18,
  # residual norm 20, Boom's linear layers 22 and 24.
  def token(self: __torch__.Operators,
    weights: List[Tensor],
    recurrent: List[Tensor],
    rings: List[Tensor],
    options: List[int]) -> Tensor:
    slot = options[0]
    used = options[1]
    tokens = torch.slice(options, 2)
    rows = torch.len(tokens)
    table = weights[0]
    vector = torch.__and__(torch.eq(rows, 1), torch.__not__(ops.prim.is_cuda(table)))
    if torch.eq(rows, 1):
      h = torch.slice(table, 0, tokens[0], torch.add(tokens[0], 1))
    else:
      h = torch.embedding(table, torch.tensor(tokens, dtype=4, device=ops.prim.device(table)))
    mask = rings[0]
    if torch.gt(torch.numel(mask), 0):
      _0 = torch.fill_(torch.select(mask, 1, slot), 0.)
    size = [torch.size(recurrent[0], 1)]
    new = annotate(List[Tensor], [])
    for layer in range(torch.floordiv(torch.len(recurrent), 2)):
      s = torch.mul(layer, 2)
      begin = torch.add(torch.mul(layer, 25), 4)
      w = torch.slice(weights, begin, torch.add(begin, 25))
      h, cell = (self).lstm(h, recurrent[s], recurrent[torch.add(s, 1)], w, vector)
      _1 = torch.append(new, h)
      _2 = torch.append(new, cell)
      x = h
      if torch.gt(torch.numel(w[7]), 0):
        h, _3, _4 = torch.native_layer_norm(x, size, w[7], w[8], 1e-12)
      if torch.gt(torch.numel(w[9]), 0):
        h = (self).attend(h, x, rings[torch.add(s, 1)], rings[torch.add(s, 2)], w, mask, slot, used, vector)
      x, _5, _6 = torch.native_layer_norm(h, size, w[18], w[19], 1e-12)
      h, _7, _8 = torch.native_layer_norm(h, size, w[20], w[21], 1e-12)
      u = torch.silu((self).affine(x, w[22], w[23], vector))
      if torch.gt(torch.numel(w[24]), 0):
        h = torch.addmm(h, u, torch.t(w[24]), alpha=0.58754406580493537)
      else:
        chunks = torch.view(u, [rows, -1, size[0]])
        sum = torch.expand(weights[3], [rows, -1, -1])
        h = torch.squeeze(torch.baddbmm(torch.unsqueeze(h, 1), sum, chunks, alpha=0.58754406580493537), 1)
    torch._foreach_copy_(recurrent, new)
    output = h
    if torch.gt(torch.numel(weights[1]), 0):
      output = torch.to((self).affine(h, weights[1], weights[2], vector), 6)
    return output
