package io.github.sharnn.train;

import static com.google.common.base.Preconditions.checkArgument;

import io.github.sharnn.train.checkpoint.CheckpointPolicy;
import io.github.sharnn.train.optim.LearningRateSchedule;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** The values in a checkpoint's {@code training.json}, a record per part of {@link TrainState}. */
final class SavedStates {

  private SavedStates() {}

  /**
   * The position of a run in the data.
   *
   * @param stage the stage, from 0
   * @param step the last step of the stage, from 1
   * @param offset tokens of each stream that are done in the current pass; of all streams together
   *     for a corpus with documents
   * @param nanos time that the stage has taken
   */
  record Position(int stage, long step, int epoch, long offset, long bytes, long nanos) {

    Position {
      checkArgument(
          stage >= 0 && step >= 1 && epoch >= 0 && offset >= 0 && bytes >= 0 && nanos >= 0,
          "a position is negative");
    }
  }

  /** The options of a {@link CheckpointPolicy}; {@code nanos} is its interval. */
  record Policy(
      int steps,
      long nanos,
      int keep,
      int skippedSteps,
      int rollbacks,
      Map<String, String> program) {

    Policy {
      program = program == null ? Map.of() : Map.copyOf(program);
    }

    static Policy of(CheckpointPolicy policy) {
      return new Policy(
          policy.steps(),
          policy.interval().toNanos(),
          policy.keep(),
          policy.skippedSteps(),
          policy.rollbacks(),
          policy.program());
    }

    /** Returns the policy of a run in a folder. */
    CheckpointPolicy in(Path folder) {
      return new CheckpointPolicy(
          folder,
          steps,
          Duration.ofNanos(nanos),
          keep,
          skippedSteps,
          rollbacks,
          program,
          Set.of(),
          false,
          null);
    }
  }

  /** The number of updates that the optimizer counted. */
  record Updates(int updates) {

    Updates {
      checkArgument(updates >= 0, "a count is negative");
    }
  }

  /** The learning rate of the last update, or NaN before the first, and the plateaus so far. */
  record Rate(float latest, LearningRateSchedule.Plateaus plateaus) {

    Rate {
      plateaus = plateaus == null ? LearningRateSchedule.Plateaus.NONE : plateaus;
    }
  }

  /**
   * The lowest validation figure of a stage, or of those before it.
   *
   * @param bpc the figure; infinite before the first evaluation
   * @param isCurrent whether the current weights gave the figure
   * @param stale evaluations since then
   */
  record Best(double bpc, boolean isCurrent, int stale) {

    Best {
      checkArgument(!Double.isNaN(bpc), "the best of the evaluations is no number");
      checkArgument(stale >= 0, "a count is negative");
    }
  }

  /** The reports with a validation figure, of each stage up to the current one. */
  record Evaluations(List<List<StepReport>> stages) {

    private static final int MAX_EVALUATIONS = 5000; // of all stages, with 11 JSON elements each

    Evaluations {
      checkArgument(stages != null, "a field is missing");
      boolean evaluated = true;
      for (List<StepReport> stage : stages) {
        checkArgument(evaluated, "a stage before the last has no evaluation");
        checkArgument(
            stage != null && stage.stream().allMatch(each -> each != null && each.evaluated()),
            "an evaluation is missing");
        evaluated = !stage.isEmpty();
      }
    }

    /** Returns whether the last stage has an evaluation. */
    boolean evaluated() {
      return !stages.isEmpty() && !stages.get(stages.size() - 1).isEmpty();
    }

    /** Keeps the newest evaluations and the best one, so that the file has a bounded size. */
    static Evaluations bestAndNewest(List<List<StepReport>> all, int stages) {
      int most = Math.max(MAX_EVALUATIONS / stages, 2);
      return new Evaluations(all.stream().map(each -> trim(each, most)).toList());
    }

    private static List<StepReport> trim(List<StepReport> all, int most) {
      if (all.size() <= most) {
        return List.copyOf(all);
      }
      List<StepReport> kept = new ArrayList<>(all.subList(all.size() - most, all.size()));
      StepReport best = Collections.min(all, Comparator.comparingDouble(StepReport::validationBpc));
      if (!kept.contains(best)) {
        kept.set(0, best);
      }
      return List.copyOf(kept);
    }
  }
}
