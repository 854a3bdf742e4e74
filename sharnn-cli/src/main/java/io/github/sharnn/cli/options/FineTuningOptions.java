package io.github.sharnn.cli.options;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.MalformedModelException;
import com.google.common.base.Splitter;
import com.google.common.primitives.Ints;
import io.github.sharnn.SHARNN;
import io.github.sharnn.train.Checkpoint;
import io.github.sharnn.train.checkpoint.RunFolder;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.data.MixedCorpus;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The options of {@code train} for a run that begins with a trained model. */
public final class FineTuningOptions {

  /** The name of the option for the model. */
  public static final String FROM = "--from";

  private static final String FREEZE = "--freeze";
  private static final String OLD_CORPUS = "--old-corpus";
  private static final String EMBEDDING = "embedding";
  private static final String MIXED_CORPUS = "mixed-corpus"; // a folder in the run's

  @Option(
      names = FROM,
      paramLabel = "MODEL",
      description =
          "Begin with a trained model: the --output folder of another run, one of the checkpoints in"
              + " it, the folder of a saved model, or the name of a pretrained one.")
  private @Nullable Path from;

  @Option(
      names = FREEZE,
      paramLabel = "PART",
      split = ",",
      arity = "1",
      hideParamSyntax = true,
      description =
          "Keep the weights of parts of the model: numbers of layers from 0, and 'embedding'; for"
              + " example --freeze embedding,0.")
  private @Nullable List<String> freeze;

  @Option(
      names = OLD_CORPUS,
      paramLabel = "FILE",
      description =
          "Mix text that the model was trained on into the training part, against forgetting. The"
              + " mixture is written into --output.")
  private @Nullable Path oldCorpus;

  @Option(
      names = "--old-share",
      paramLabel = "SHARE",
      description = "The share of --old-corpus in the training part. Default: 0.25.")
  private @Nullable Double oldShare;

  /** Returns the model that the run begins with. */
  public Optional<StartingModel> from() throws IOException, MalformedModelException {
    if (from == null) {
      return Optional.empty();
    }
    if (RunFolder.isCheckpoint(from)
        || (Files.isDirectory(from) && !Checkpoint.list(from).isEmpty())) {
      return Optional.of(StartingModel.of(Checkpoint.open(from)));
    }
    return Optional.of(StartingModel.saved(ModelArgument.folder(from)));
  }

  /** Returns the mixture in a run's folder, which may have moved, or nothing for another corpus. */
  static Optional<Path> mixture(Checkpoint run) {
    Path mixed = run.folder().toAbsolutePath().resolveSibling(MIXED_CORPUS);
    boolean has = run.policy().program().containsKey(OLD_CORPUS) && Files.isDirectory(mixed);
    return has ? Optional.of(mixed) : Optional.empty();
  }

  /** Takes the lock of the run's folder. */
  public interface Lock {
    void take() throws IOException;
  }

  /**
   * Mixes the old text into a corpus, if there is one, and prints the mixture. Takes the lock after
   * all checks and before the first change.
   */
  public Corpus mix(Corpus corpus, Path output, Lock lock) throws IOException {
    if (oldCorpus == null) {
      return corpus;
    }
    Corpus old = Files.isDirectory(oldCorpus) ? Corpus.folder(oldCorpus) : Corpus.open(oldCorpus);
    Path folder = output.resolve(MIXED_CORPUS);
    double share = oldShare == null ? 0.25 : oldShare;
    MixedCorpus.check(folder, corpus, old, share);
    lock.take();
    Corpus mixed = MixedCorpus.write(folder, corpus, old, share);
    System.out.println(mixed);
    return mixed;
  }

  /** Checks the options before the corpus is read. */
  public void check(Optional<StartingModel> base) {
    checkArgument(
        base.isPresent() || (freeze == null && oldCorpus == null),
        "--freeze and --old-corpus need --from: name the trained model to begin with");
    checkArgument(
        oldShare == null || oldCorpus != null, "--old-share needs --old-corpus: name the old text");
    checkArgument(
        oldShare == null || (oldShare > 0 && oldShare < 1),
        "--old-share must be above 0 and below 1, but is %s",
        oldShare);
    int layers = base.map(model -> model.config().layers()).orElse(0);
    for (String part : freeze == null ? List.<String>of() : freeze) {
      Integer layer = Ints.tryParse(part);
      checkArgument(
          part.equals(EMBEDDING) || (layer != null && layer >= 0 && layer < layers),
          "--freeze takes '%s' and numbers of layers from 0 to %s, but was given '%s'",
          EMBEDDING,
          layers - 1,
          part);
    }
  }

  /** Freezes the given parts of a model, or those of the run to resume. */
  public void freeze(SHARNN block, Map<String, String> kept) {
    List<String> parts = freeze;
    if (parts == null) {
      parts = kept.containsKey(FREEZE) ? Splitter.on(',').splitToList(kept.get(FREEZE)) : List.of();
    }
    for (String part : parts) {
      if (part.equals(EMBEDDING)) {
        block.freezeEmbedding();
      } else {
        block.freezeLayers(Integer.parseInt(part));
      }
    }
  }
}
