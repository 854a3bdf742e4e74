package io.github.sharnn.cli.options;

import static com.google.common.base.Preconditions.checkArgument;

import io.github.sharnn.train.Checkpoint;
import io.github.sharnn.train.checkpoint.CheckpointPolicy;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import picocli.CommandLine.Option;

/** The options of {@code train} for checkpoints: when to save, which one to resume. */
public final class CheckpointOptions {

  @Option(
      names = "--resume",
      paramLabel = "DIR",
      description =
          "Resume a run: its --output folder, or one of the checkpoints in it. The run keeps"
              + " its options, but you may change budget, learning rate, patience, dropout, device,"
              + " kernels, evaluation interval, checkpoint options, metrics file and report text.")
  private Path resume;

  @Option(
      names = "--checkpoint-minutes",
      paramLabel = "MINUTES",
      converter = Minutes.class,
      description =
          "Minutes between checkpoints in --output; 0 saves only the last one. Default: 10.")
  private Optional<Duration> time;

  @Option(
      names = "--checkpoint-interval",
      paramLabel = "STEPS",
      description = "Steps between checkpoints, in place of a time.")
  private Optional<Integer> steps;

  @Option(names = "--keep", description = "Number of newest checkpoints to keep. Default: 3.")
  private Optional<Integer> keep;

  /** Returns the checkpoint to resume. */
  public Optional<Checkpoint> resumed() throws IOException {
    checkArgument(
        time.isEmpty() || steps.isEmpty(),
        "--checkpoint-minutes and --checkpoint-interval exclude each other: leave one out");
    return resume == null ? Optional.empty() : Optional.of(Checkpoint.open(resume));
  }

  /** Returns the policy of a run in a folder, with the given options and those of its program. */
  public CheckpointPolicy policy(
      Path output, Optional<Checkpoint> resumed, Map<String, String> program) {
    CheckpointPolicy policy = CheckpointPolicy.in(output).program(program);
    policy = time.map(policy::every).orElse(policy);
    policy = steps.map(policy::everySteps).orElse(policy);
    policy = keep.map(policy::keep).orElse(policy);
    return resumed.map(Checkpoint::folder).map(policy::resumeFrom).orElse(policy);
  }
}
