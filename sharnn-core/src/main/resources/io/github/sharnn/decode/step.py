# The operations of a decoder's step, which reads one token of each stream. Each stream is a row. TokenScript appends the
# method token, which calls the operations in the order of the model's equations. TokenScript also replaces the names of
# Equations' constants by their values. The source is TorchScript, as in operators.py.
class Decoder(Module):
  __parameters__ = []
  __buffers__ = []
  training : bool

  def embed(self, table: Tensor, tokens: List[int]) -> Tensor:
    if len(tokens) == 1:
      return table[tokens[0]:tokens[0] + 1]
    return torch.embedding(table, torch.tensor(tokens, dtype=4, device=table.device))

  def linear(self, x: Tensor, weight: Tensor, bias: Tensor, alone: bool) -> Tensor:
    """alone: true if x is one row on a CPU. A matrix-vector product uses one thread there, but eight parts use all."""
    outputs = weight.size(0)
    if not alone:
      return torch.addmm(bias, x, weight.t())
    if weight.numel() >= 131072 and outputs % 8 == 0:
      parts = weight.view([8, outputs // 8, -1]).transpose(1, 2)
      return torch.baddbmm(bias.view([8, 1, -1]), x.expand([8, 1, -1]), parts).view([1, outputs])
    return torch.addmv(bias.view([-1]), weight, x[0]).unsqueeze(0)

  def norm(self, x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    y, _, _ = torch.native_layer_norm(x, [x.size(1)], weight, bias, NORM_EPSILON)
    return y

  def lstm(self, gates: Tensor, hidden: Tensor, cell: Tensor, weight: Tensor, alone: bool) -> Tuple[Tensor, Tensor]:
    """gates: the input's part of the gates. Returns the next hidden and cell."""
    if gates.is_cuda:
      h, c, _ = torch._thnn_fused_lstm_cell(gates, hidden.mm(weight.t()), cell)
      return h, c
    i, f, g, o = self.linear(hidden, weight, gates, alone).chunk(4, 1)
    c = torch.addcmul(f.sigmoid() * cell, i.sigmoid(), g.tanh())
    return o.sigmoid() * c.tanh(), c

  def reveal(self, mask: Tensor, position: int) -> None:
    """Unmasks the slot that the token writes."""
    if mask.numel() > 0:
      mask.select(1, position).fill_(0.)

  def attend(self, residual: Tensor, query: Tensor, keys: Tensor, values: Tensor, scale: Tensor, mask: Tensor,
      used: int) -> Tensor:
    """mask: empty if all slots are filled. used: the number of slots to attend to."""
    scores = query.unsqueeze(1).bmm(keys.narrow(1, 0, used).transpose(1, 2))
    if mask.numel() > 0:
      scores = scores + mask.narrow(1, 0, used).unsqueeze(1)
    context = scores.softmax(-1).bmm(values.narrow(1, 0, used))
    return torch.addcmul(residual, context.squeeze(1), scale)

  def boom(self, residual: Tensor, x: Tensor, weight: Tensor, bias: Tensor, ones: Tensor, alone: bool) -> Tensor:
    """weight and bias are already multiplied by gelu's slope. The product with ones sums the chunks."""
    u = torch.silu(self.linear(x, weight, bias, alone))
    chunks = u.view([x.size(0), -1, x.size(1)])
    ones = ones.expand([x.size(0), -1, -1])
    return torch.baddbmm(residual.unsqueeze(1), ones, chunks, alpha=1 / GELU_SLOPE).squeeze(1)

  def boom2(self, residual: Tensor, x: Tensor, weight: Tensor, bias: Tensor, weight2: Tensor, alone: bool) -> Tensor:
    """Like boom, but with a second linear layer. The residual already includes the layer's bias."""
    u = torch.silu(self.linear(x, weight, bias, alone))
    return torch.addmm(residual, u, weight2.t(), alpha=1 / GELU_SLOPE)
