package io.github.sharnn.train;

import java.util.Comparator;
import java.util.List;

/**
 * The result of {@link SHARNNTrainer#fit}. After {@code fit}, the model holds the weights of {@link
 * #best()}.
 *
 * @param history one report for each step, in order
 */
public record FitResult(List<StepReport> history) {

  /**
   * Copies the list.
   *
   * @param history one report for each step, at least one
   */
  public FitResult {
    history = List.copyOf(history);
  }

  /** {@return the reports with a validation figure, in order} */
  public List<StepReport> evaluations() {
    return history.stream().filter(StepReport::evaluated).toList();
  }

  /** {@return the report with the lowest validation bits per character} */
  public StepReport best() {
    return evaluations().stream()
        .min(Comparator.comparingDouble(StepReport::validationBpc))
        .orElseThrow();
  }

  /** {@return the report of the last step} */
  public StepReport last() {
    return history.get(history.size() - 1);
  }
}
