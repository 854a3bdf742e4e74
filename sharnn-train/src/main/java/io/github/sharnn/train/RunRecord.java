package io.github.sharnn.train;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.Device;
import ai.djl.engine.Engine;
import io.github.sharnn.RunHeader;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.engine.Devices;
import io.github.sharnn.train.checkpoint.CheckpointJson;
import io.github.sharnn.train.data.CorpusRecord;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/**
 * The settings of a run, and the versions and the device of the process that saved them.
 *
 * @param config the model's config
 * @param options the trainer's options
 * @param stages the stages
 * @param corpus the identity of the corpus
 * @param made versions, system, device and time of the process that saved this
 */
record RunRecord(
    SHARNNConfig config,
    TrainingOptions options,
    List<TrainingStage> stages,
    CorpusRecord corpus,
    Map<String, String> made) {

  private static final Set<String> CONFIG_MAY_CHANGE =
      Set.of("inputDropout", "hiddenDropout", "outputDropout", "weightDrop");
  private static final Set<String> CORPUS_MAY_CHANGE = Set.of("file");

  RunRecord {
    checkArgument(
        config != null && options != null && stages != null && corpus != null && made != null,
        "a field is missing");
    for (TrainingStage stage : stages) {
      checkArgument(stage != null && stage.budget() != null, "a stage has no budget");
    }
  }

  static RunRecord of(TrainerSetup setup, List<TrainingStage> stages, CorpusRecord corpus) {
    Device device = setup.model().getNDManager().getDevice();
    Map<String, String> made = new LinkedHashMap<>();
    made.put("sharnn", RunHeader.version());
    made.put("djl", Engine.getDjlVersion());
    made.put("pytorch", setup.model().getNDManager().getEngine().getVersion());
    made.put("java", System.getProperty("java.vm.name") + " " + System.getProperty("java.version"));
    made.put(
        "system",
        String.format(
            Locale.ROOT,
            "%s %s %s",
            System.getProperty("os.name"),
            System.getProperty("os.version"),
            System.getProperty("os.arch")));
    made.put("device", Devices.describe(device));
    made.put("time", Instant.now().toString());
    return new RunRecord(setup.block().config(), setup.options(), stages, corpus, made);
  }

  /**
   * Compares this record with the settings of a run that resumes, and returns one line per setting
   * that must not differ.
   */
  List<String> differences(SHARNNConfig runConfig, TrainingOptions run, CorpusRecord runCorpus) {
    List<String> differences =
        new ArrayList<>(CheckpointJson.differences(config, runConfig, CONFIG_MAY_CHANGE));
    differences.addAll(CheckpointJson.differences(options, run, TrainingOptions.MAY_CHANGE));
    differences.addAll(CheckpointJson.differences(corpus, runCorpus, CORPUS_MAY_CHANGE));
    return differences;
  }
}
