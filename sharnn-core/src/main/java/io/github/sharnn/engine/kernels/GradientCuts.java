package io.github.sharnn.engine.kernels;

import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.pytorch.engine.PtNDArray;
import ai.djl.pytorch.jni.JniUtils;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * The places where a training step's gradient graph is cut, because a kernel, which PyTorch does
 * not know, computes on from there. DJL has no custom gradients. A kernel's result becomes a new
 * leaf. After PyTorch's backward has filled the leaf's gradient, the kernel's backward turns it
 * into its inputs' gradients, and PyTorch's backward continues there.
 *
 * <pre>{@code
 * try (GradientCuts cuts = GradientCuts.open(manager);
 *     GradientCollector collector = trainer.newGradientCollector()) {
 *   NDArray loss = ...; // blocks find the open cuts and use kernels
 *   collector.backward(loss);
 *   cuts.backward();
 * }
 * }</pre>
 *
 * <p>Without open cuts nobody calls the kernels' backward, so blocks train through PyTorch alone.
 */
public final class GradientCuts implements AutoCloseable {

  private static final ThreadLocal<@Nullable GradientCuts> CURRENT = new ThreadLocal<>();

  private final NDManager manager;
  private final @Nullable GradientCuts outer = CURRENT.get();
  private final Deque<Cut> cuts = new ArrayDeque<>();

  private GradientCuts(NDManager manager) {
    this.manager = manager;
  }

  /** A kernel's inputs in the graph, the leaves that replace its results, and its backward. */
  private record Cut(List<NDArray> inputs, NDList leaves, Function<NDList, NDList> backward) {}

  /**
   * Opens cuts for the steps of this thread until they are closed.
   *
   * @param parent the manager under which arrays live until the cuts are closed
   * @return the open cuts; the caller closes them
   */
  public static GradientCuts open(NDManager parent) {
    GradientCuts cuts = new GradientCuts(parent.newSubManager());
    CURRENT.set(cuts);
    return cuts;
  }

  /** {@return the open cuts of this thread, or null} */
  public static @Nullable GradientCuts current() {
    return CURRENT.get();
  }

  /** {@return the owner of what a kernel keeps for its backward} */
  public NDManager manager() {
    return manager;
  }

  /**
   * Cuts the graph between a kernel's inputs and its results.
   *
   * @param inputs the arrays that the kernel read and that take part in the graph, which DJL can't
   *     tell of arrays that are no parameters; backward closes those that {@link #manager} owns
   * @param results the kernel's results, each of which the loss depends on; the caller closes them
   * @param backward turns the results' gradients into the inputs' gradients, in their order
   * @return the results to compute on with; the managers of {@code results} own them
   */
  public NDList cut(List<NDArray> inputs, NDList results, Function<NDList, NDList> backward) {
    NDList leaves = new NDList();
    NDList next = new NDList();
    for (NDArray result : results) {
      NDArray leaf = result.stopGradient();
      leaf.setRequiresGradient(true);
      NDArray view = leaf.reshape(leaf.getShape());
      view.attach(result.getManager());
      leaf.attach(manager);
      leaves.add(leaf);
      next.add(view);
    }
    cuts.push(new Cut(inputs, leaves, backward));
    return next;
  }

  /** Hands the gradients across all cuts, the last one first. Call it after PyTorch's backward. */
  public void backward() {
    while (!cuts.isEmpty()) {
      Cut cut = cuts.pop();
      NDList ofResults = new NDList();
      cut.leaves.forEach(leaf -> ofResults.add(leaf.getGradient()));
      try (ofResults;
          NDList gradients = cut.backward.apply(ofResults)) {
        cut.leaves.close();
        for (int i = 0; i < gradients.size(); i++) {
          PtNDArray input = (PtNDArray) cut.inputs.get(i);
          JniUtils.backward(input, (PtNDArray) gradients.get(i), false, false);
          if (input.getManager() == manager) {
            input.close();
          }
        }
      }
    }
  }

  @Override
  public void close() {
    CURRENT.set(outer);
    manager.close();
  }
}
