package io.github.sharnn.examples;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.ParameterStore;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNState;

/**
 * One stream of bytes through a model, always one byte at a time: what is known of a file while it
 * is decompressed. Both directions use it, since a segment of another length gives logits that
 * differ in their last bits.
 */
final class BytePredictor implements AutoCloseable {

  private final SHARNN block;
  private final NDManager manager;
  private final ParameterStore parameterStore;
  private SHARNNState state;

  BytePredictor(Model model) {
    block = SHARNN.of(model);
    manager = model.getNDManager().newSubManager();
    parameterStore = new ParameterStore(manager, false);
    state = block.zeroState(manager, 1);
  }

  /** Returns the V logits of the byte after this one. */
  float[] after(byte previous) {
    try (NDManager step = manager.newSubManager()) {
      NDArray token = step.create(new long[] {Byte.toUnsignedLong(previous)}, new Shape(1, 1));
      // results belong to their first operand's manager, so the old state must end with the step
      SHARNN.Output output = block.forward(parameterStore, token, state.attach(step), false);
      state = output.state().attach(manager);
      return output.logits().toType(DataType.FLOAT32, false).toFloatArray();
    }
  }

  @Override
  public void close() {
    manager.close();
  }
}
