package io.github.sharnn.cli.options;

import static com.google.common.base.Preconditions.checkArgument;

import io.github.sharnn.train.data.Corpus;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Options that choose and split a corpus. */
public final class CorpusOptions {

  private static final Map<String, String> ARCHIVES =
      Map.of("\u001f\u008b", "gzip", "PK\3\4", "zip", "\u00fd7zXZ", "xz", "BZh", "bzip2");
  private static final int LONGEST_SIGNATURE = 5;

  @Option(
      names = "--corpus",
      paramLabel = "FILE",
      description =
          "A file of text or any other bytes; or a folder with a file for each part, such as"
              + " WikiText or Penn Treebank. Default: the bundled novel, The Old Curiosity Shop.")
  private @Nullable Path file;

  @Option(
      names = "--split",
      paramLabel = "TRAIN,VALID,TEST",
      split = ",",
      arity = "1",
      hideParamSyntax = true,
      description =
          "Sizes of a file's parts: fractions that add up to 1, or bytes from the start. Default:"
              + " 0.90,0.05,0.05.")
  private @Nullable List<Double> split;

  @Option(
      names = "--enwik8",
      description = "Split the 100,000,000 bytes of enwik8 or text8 as 90M,5M,5M.")
  private boolean enwik8;

  /** Returns the given file or folder. */
  public Optional<Path> file() {
    return Optional.ofNullable(file);
  }

  /** Opens the corpus. */
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
          "--split is for a file, but %s is a folder with a file for each part: leave --split out",
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

  /** Warns of an archive: its bytes make a valid corpus, but rarely the intended one. */
  private static void warnOfArchive(Path path) throws IOException {
    if (!Files.isRegularFile(path)) {
      return; // Corpus reports it
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
                Locale.ROOT,
                "warning: %s looks like a %s file: unpack it, unless you want to model its packed"
                    + " bytes%n",
                path,
                kind);
          }
        });
  }
}
