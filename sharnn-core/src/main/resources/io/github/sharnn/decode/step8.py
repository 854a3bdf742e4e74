
  # The operations over packed int8 matrices on a CPU, which TokenScript appends to step.py. A product rounds x to 8 bits.
  # REDUCED is True if the processor needs 7 bits instead. Keys and values are of FLOAT16.

  def linear8(self, x: Tensor, weight: PACKED, bias: Tensor) -> Tensor:
    return ops.quantized.linear_dynamic(x, weight, REDUCED) + bias

  def lstm8(self, gates: Tensor, hidden: Tensor, cell: Tensor, weight: PACKED) -> Tuple[Tensor, Tensor]:
    z = self.linear8(hidden, weight, gates)
    i, f, _, o = z.sigmoid().chunk(4, 1)
    g = z.narrow(1, 2 * cell.size(1), cell.size(1)).tanh()
    c = torch.addcmul(f * cell, i, g)
    return o * c.tanh(), c

  def attend8(self, residual: Tensor, query: Tensor, keys: Tensor, values: Tensor, scale: Tensor, mask: Tensor,
      used: int) -> Tensor:
    scores = query.to(5).unsqueeze(1).bmm(keys.narrow(1, 0, used).transpose(1, 2)).to(6)
    if mask.numel() > 0:
      scores = scores + mask.narrow(1, 0, used).unsqueeze(1)
    context = scores.softmax(-1).to(5).bmm(values.narrow(1, 0, used)).to(6)
    return torch.addcmul(residual, context.squeeze(1), scale)

  def activate8(self, x: Tensor, weight: PACKED, bias: Tensor) -> Tensor:
    """bias is already multiplied by gelu's slope."""
    return torch.silu(torch.add(bias, ops.quantized.linear_dynamic(x, weight, REDUCED), alpha=GELU_SLOPE))

  def boom8(self, residual: Tensor, x: Tensor, weight: PACKED, bias: Tensor, ones: Tensor) -> Tensor:
    chunks = self.activate8(x, weight, bias).view([x.size(0), -1, x.size(1)])
    ones = ones.expand([x.size(0), -1, -1])
    return torch.baddbmm(residual.unsqueeze(1), ones, chunks, alpha=1 / GELU_SLOPE).squeeze(1)

  def boom28(self, residual: Tensor, x: Tensor, weight: PACKED, bias: Tensor, weight2: PACKED) -> Tensor:
    u = self.activate8(x, weight, bias)
    return torch.add(residual, ops.quantized.linear_dynamic(u, weight2, REDUCED), alpha=1 / GELU_SLOPE)
