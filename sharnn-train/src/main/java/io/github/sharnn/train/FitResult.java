package io.github.sharnn.train;

import static com.google.common.base.Preconditions.checkState;

import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The result of {@link SHARNNTrainer#fit}. After {@code fit}, the model holds the weights of {@link
 * #best()}, or those of the last step if the run was stopped before its first evaluation.
 *
 * @param history one report for each step, in order
 * @param end why the run ended
 * @param checkpoint the folder of the checkpoint that a stopped or interrupted run has saved, or
 *     null for none
 */
public record FitResult(List<StepReport> history, End end, @Nullable Path checkpoint) {

  /** The reason why a run ended. */
  public enum End {
    /** The run has used its {@link Budget}. */
    BUDGET_USED,
    /** Early stopping: the {@link Budget#patience} is used up. */
    STOPPED_EARLY,
    /** {@link SHARNNTrainer.Builder#stopWhen} has stopped the run. */
    STOPPED,
    /** The thread was interrupted, as by {@code Future.cancel(true)}, and still has that status. */
    INTERRUPTED
  }

  /** Returns the result of a complete run with evaluations. */
  static FitResult complete(List<StepReport> history, Budget budget) {
    List<StepReport> evaluations = evaluations(history);
    int stale = evaluations.size() - 1 - evaluations.indexOf(best(evaluations));
    boolean early = budget.patience() > 0 && stale >= budget.patience();
    return new FitResult(List.copyOf(history), early ? End.STOPPED_EARLY : End.BUDGET_USED, null);
  }

  /**
   * {@return true if the run has used its budget or its patience, and false if it was stopped or
   * interrupted}
   */
  public boolean isComplete() {
    return end == End.BUDGET_USED || end == End.STOPPED_EARLY;
  }

  /** {@return the reports with a validation figure, in order} */
  public List<StepReport> evaluations() {
    return evaluations(history);
  }

  private static List<StepReport> evaluations(List<StepReport> history) {
    return history.stream().filter(StepReport::evaluated).toList();
  }

  /**
   * {@return the report with the lowest validation bits per character}
   *
   * @throws IllegalStateException if the run was stopped before its first evaluation
   */
  public StepReport best() {
    List<StepReport> evaluations = evaluations();
    checkState(
        !evaluations.isEmpty(),
        "the run ended at step %s, before its first evaluation, so no step is the best: resume it, or set"
            + " a smaller evaluationInterval",
        last().step());
    return best(evaluations);
  }

  private static StepReport best(List<StepReport> evaluations) {
    return evaluations.stream()
        .min(Comparator.comparingDouble(StepReport::validationBpc))
        .orElseThrow();
  }

  /** {@return the report of the last step} */
  public StepReport last() {
    return history.get(history.size() - 1);
  }
}
