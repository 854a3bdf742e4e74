package io.github.sharnn.examples;

import static com.google.common.base.Preconditions.checkArgument;

import io.github.sharnn.train.Corpus;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import picocli.CommandLine.Option;

/** How a corpus file is chosen and split, the same for every command that reads one. */
final class CorpusOptions {

  @Option(
      names = "--corpus",
      paramLabel = "FILE",
      description =
          "The text to model, any bytes; or a folder with a file for each part, as WikiText and Penn"
              + " Treebank have. Default: the bundled novel, The Old Curiosity Shop.")
  private Path file;

  @Option(
      names = "--split",
      paramLabel = "TRAIN,VALID,TEST",
      split = ",",
      arity = "1",
      hideParamSyntax = true,
      description =
          "Of a file: fractions that add up to 1, or bytes from the start. Default: 0.90,0.05,0.05.")
  private List<Double> split;

  @Option(
      names = "--enwik8",
      description = "Split 100,000,000 bytes, enwik8 or text8, as 90M,5M,5M.")
  private boolean enwik8;

  Corpus open() throws IOException {
    checkArgument(
        split == null || split.size() == 3,
        "--split takes three numbers, training,validation,test, but was given %s",
        split);
    checkArgument(
        split == null || !enwik8, "--split and --enwik8 exclude each other: leave one out");
    Path path = file == null ? Novel.extract() : file;
    if (Files.isDirectory(path) && !enwik8) {
      checkArgument(
          split == null,
          "--split is for a file, but %s is a folder, which has a file for each part: leave it out",
          path);
      return Corpus.folder(path);
    }
    if (enwik8) {
      return Corpus.enwik8(path);
    }
    if (split == null) {
      return Corpus.open(path);
    }
    if (split.stream().allMatch(part -> part <= 1)) {
      return Corpus.withFractions(path, split.get(0), split.get(1), split.get(2));
    }
    return Corpus.withSizes(
        path, split.get(0).longValue(), split.get(1).longValue(), split.get(2).longValue());
  }
}
