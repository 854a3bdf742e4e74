package io.github.sharnn.cli.options;

import static com.google.common.base.Preconditions.checkArgument;

import io.github.sharnn.train.data.Corpus;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Option;

/** How a corpus file is chosen and split, the same for every command that reads one. */
public final class CorpusOptions {

  private static final Map<String, String> ARCHIVES =
      Map.of("\u001f\u008b", "gzip", "PK\3\4", "zip", "\u00fd7zXZ", "xz", "BZh", "bzip2");
  private static final int LONGEST_SIGNATURE = 5;

  @Option(
      names = "--corpus",
      paramLabel = "FILE",
      description =
          "The text to model, any bytes; or a folder with a file for each part, as WikiText and"
              + " Penn Treebank have. Default: the bundled novel, The Old Curiosity Shop.")
  private Path file;

  @Option(
      names = "--split",
      paramLabel = "TRAIN,VALID,TEST",
      split = ",",
      arity = "1",
      hideParamSyntax = true,
      description =
          "Of a file: fractions that add up to 1, or bytes from the start. Default:"
              + " 0.90,0.05,0.05.")
  private List<Double> split;

  @Option(
      names = "--enwik8",
      description = "Split 100,000,000 bytes, enwik8 or text8, as 90M,5M,5M.")
  private boolean enwik8;

  public Corpus open() throws IOException {
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
    warnOfArchive(path);
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

  /** Models of any bytes are fine, but hardly what was meant. */
  private static void warnOfArchive(Path path) throws IOException {
    if (!Files.isRegularFile(path)) {
      return; // refused by what opens it
    }
    byte[] start;
    try (InputStream in = Files.newInputStream(path)) {
      start = in.readNBytes(LONGEST_SIGNATURE);
    }
    String begin = new String(start, StandardCharsets.ISO_8859_1);
    ARCHIVES.forEach(
        (signature, kind) -> {
          if (begin.startsWith(signature)) {
            System.err.printf(
                "warning: %s begins as %s files do: unpack it, unless its packed bytes are the"
                    + " text%n",
                path, kind);
          }
        });
  }
}
