package io.github.sharnn.cli.options;

import io.github.sharnn.train.Checkpoint;
import io.github.sharnn.train.checkpoint.CheckpointPolicy;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Optional;
import picocli.CommandLine.Option;

/** When {@code train} saves checkpoints, and what it begins with. */
public final class CheckpointOptions {

  @Option(
      names = "--resume",
      paramLabel = "DIR",
      description =
          "Go on with a run: its --output folder, or one of the checkpoints in it. Its options stay;"
              + " budget, learning rate, patience, dropout, device and evaluation interval may be"
              + " given anew.")
  private Path resume;

  @Option(
      names = "--from",
      paramLabel = "DIR",
      description =
          "Begin a run with the best weights of another one: its --output folder, or one of the"
              + " checkpoints in it.")
  private Path from;

  @Option(
      names = "--checkpoint-minutes",
      paramLabel = "MINUTES",
      description = "Time between checkpoints, in --output; 0 for none but the last.")
  private double minutes = 10;

  @Option(
      names = "--checkpoint-interval",
      paramLabel = "STEPS",
      description = "Steps between checkpoints, in place of a time.")
  private Optional<Integer> steps;

  @Option(names = "--keep", description = "Checkpoints to keep: the newest.")
  private int keep = 3;

  /** What to go on with. */
  public Optional<Checkpoint> resumed() throws IOException {
    return resume == null ? Optional.empty() : Optional.of(Checkpoint.open(resume));
  }

  /** What to begin with. */
  public Optional<Checkpoint> from() throws IOException {
    return from == null ? Optional.empty() : Optional.of(Checkpoint.open(from));
  }

  public CheckpointPolicy policy(Path output, Optional<Checkpoint> resumed) {
    CheckpointPolicy policy =
        CheckpointPolicy.in(output).every(Duration.ofMillis(Math.round(minutes * 60_000)));
    if (steps.isPresent()) {
      policy = policy.everySteps(steps.get());
    }
    policy = policy.keep(keep);
    return resumed.map(Checkpoint::folder).map(policy::resumeFrom).orElse(policy);
  }
}
