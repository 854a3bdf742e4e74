package io.github.sharnn.engine;

import ai.djl.Device;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDManager;
import ai.djl.nn.Parameter;
import ai.djl.nn.recurrent.LSTM;
import ai.djl.training.ParameterStore;

/**
 * A parameter store that hands DJL's {@link LSTM} a hidden-to-hidden matrix with dropped entries,
 * one draw per segment (Merity et al., arXiv:1708.02182, section 2, "weight-dropped LSTM").
 */
public final class WeightDrop extends ParameterStore {

  private final ParameterStore parameterStore;
  private final Parameter hiddenToHidden;
  private final float rate;
  private final NDManager batchManager;

  private WeightDrop(ParameterStore parameterStore, LSTM lstm, float rate, NDManager batchManager) {
    super(batchManager, false);
    this.parameterStore = parameterStore;
    this.hiddenToHidden = lstm.getDirectParameters().get("l_0_h2h_WEIGHT");
    this.rate = rate;
    this.batchManager = batchManager;
  }

  /**
   * {@return a store that applies the dropout, or the given store if there is no dropout}
   *
   * @param parameterStore the store of the weights
   * @param lstm the LSTM whose hidden-to-hidden matrix is dropped
   * @param rate the dropout rate, in [0, 1)
   * @param training false for no dropout
   * @param batchManager the manager that owns the matrix with dropped entries
   */
  public static ParameterStore of(
      ParameterStore parameterStore,
      LSTM lstm,
      float rate,
      boolean training,
      NDManager batchManager) {
    return training && rate > 0
        ? new WeightDrop(parameterStore, lstm, rate, batchManager)
        : parameterStore;
  }

  @Override
  public NDArray getValue(Parameter parameter, Device device, boolean training) {
    NDArray value = parameterStore.getValue(parameter, device, training);
    if (parameter != hiddenToHidden) {
      return value;
    }
    NDArray dropped = DropoutMask.apply(value, rate, training);
    dropped.attach(batchManager);
    return dropped;
  }
}
