package io.github.sharnn.train;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Strings.lenientFormat;

import ai.djl.Device;
import ai.djl.engine.Engine;
import io.github.sharnn.RunHeader;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.engine.Devices;
import io.github.sharnn.train.checkpoint.CheckpointJson;
import io.github.sharnn.train.checkpoint.CheckpointPolicy;
import io.github.sharnn.train.data.CorpusRecord;
import java.lang.reflect.RecordComponent;
import java.nio.file.Path;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * The settings of a run, and the versions and the device of the process that saved them.
 *
 * @param policy the options of the checkpoints; those of {@link CheckpointPolicy#in} in a
 *     checkpoint of an older version
 * @param made versions, system, device and time of the process that saved this
 */
record RunRecord(
    SHARNNConfig config,
    TrainingOptions options,
    List<TrainingStage> stages,
    CorpusRecord corpus,
    SavedStates.Policy policy,
    Map<String, String> made) {

  private static final Set<String> CONFIG_MAY_CHANGE =
      Set.of("inputDropout", "hiddenDropout", "outputDropout", "weightDrop");
  private static final Set<String> CORPUS_MAY_CHANGE = Set.of("file", "files");
  private static final Set<String> POLICY_MAY_CHANGE =
      Stream.of(SavedStates.Policy.class.getRecordComponents())
          .map(RecordComponent::getName)
          .collect(Collectors.toUnmodifiableSet());

  RunRecord {
    checkArgument(
        config != null && options != null && stages != null && corpus != null && made != null,
        "a field is missing");
    policy = policy == null ? SavedStates.Policy.of(CheckpointPolicy.in(Path.of(""))) : policy;
    policy.in(Path.of("")); // checks its numbers
    for (TrainingStage stage : stages) {
      checkArgument(stage != null && stage.budget() != null, "a stage has no budget");
    }
  }

  static RunRecord of(TrainerSetup setup, List<TrainingStage> stages, RunCheckpoints checkpoints) {
    Device device = setup.model().getNDManager().getDevice();
    Map<String, String> made = new LinkedHashMap<>();
    made.put("sharnn", RunHeader.version());
    made.put("djl", Engine.getDjlVersion());
    made.put("pytorch", setup.model().getNDManager().getEngine().getVersion());
    made.put("java", System.getProperty("java.vm.name") + " " + System.getProperty("java.version"));
    made.put(
        "system",
        lenientFormat(
            "%s %s %s",
            System.getProperty("os.name"),
            System.getProperty("os.version"),
            System.getProperty("os.arch")));
    made.put("device", Devices.describe(device));
    made.put("time", Instant.now().toString());
    return new RunRecord(
        setup.block().config(),
        setup.options(),
        stages,
        checkpoints.corpus,
        SavedStates.Policy.of(checkpoints.policy),
        made);
  }

  /** Returns a line for each setting of a resuming run that must not differ, but does. */
  List<String> differences(
      SHARNNConfig runConfig,
      TrainingOptions run,
      CorpusRecord runCorpus,
      CheckpointPolicy runPolicy) {
    List<String> differences =
        new ArrayList<>(CheckpointJson.differences(config, runConfig, CONFIG_MAY_CHANGE));
    differences.addAll(CheckpointJson.differences(options, run, TrainingOptions.MAY_CHANGE));
    differences.addAll(CheckpointJson.differences(corpus, runCorpus, CORPUS_MAY_CHANGE));
    differences.addAll(
        CheckpointJson.differences(policy, SavedStates.Policy.of(runPolicy), POLICY_MAY_CHANGE));
    return differences;
  }
}
