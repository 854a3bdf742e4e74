package io.github.sharnn.cli.options;

import static com.google.common.base.Preconditions.checkArgument;
import static com.google.common.base.Strings.lenientFormat;

import com.google.common.primitives.Longs;
import io.github.sharnn.train.Checkpoint;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.data.Documents;
import io.github.sharnn.train.data.Split;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Help.Visibility;
import picocli.CommandLine.Option;

/** Options that choose and split a corpus. */
public final class CorpusOptions {

  private static final Map<String, String> ARCHIVES =
      Map.of("\u001f\u008b", "gzip", "PK\3\4", "zip", "\u00fd7zXZ", "xz", "BZh", "bzip2");
  private static final Set<String> UTF_16 =
      Set.of("\u00ff\u00fe", "\u00fe\u00ff"); // byte order marks
  private static final int LONGEST_SIGNATURE = 5;

  @Option(
      names = "--corpus",
      paramLabel = "FILE",
      showDefaultValue = Visibility.NEVER,
      description =
          "A file of text or any other bytes; or a folder with a file for each part, such as"
              + " WikiText or Penn Treebank. Several files, each with --corpus, follow one another."
              + " Default: the bundled novel, The Old Curiosity Shop.")
  private List<Path> files = List.of();

  @Option(
      names = "--validation",
      paramLabel = "FILE",
      showDefaultValue = Visibility.NEVER,
      description =
          "A file of the validation part; may be repeated. --corpus then names the others.")
  private List<Path> validation = List.of();

  @Option(
      names = "--test",
      paramLabel = "FILE",
      showDefaultValue = Visibility.NEVER,
      description = "A file of the test part; may be repeated.")
  private List<Path> test = List.of();

  @Option(
      names = "--documents",
      paramLabel = "KIND",
      description =
          "lines or files: each one is a document, which is read from a zero state. Default: the"
              + " text is continuous.")
  private @Nullable String documents;

  @Option(
      names = "--separator",
      paramLabel = "TEXT",
      description = "A text that ends each document, such as '<|endoftext|>'.")
  private @Nullable String separator;

  @Option(
      names = "--split-by",
      paramLabel = "RULE",
      description =
          "The rule that chooses the part of a document: position, the test part is the end; hash,"
              + " of the document's bytes; random or random:SEED. Default: position.")
  private @Nullable String splitBy;

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

  /** Opens the corpus of a run again, from the given files or from where it was. */
  public Corpus reopen(Checkpoint run) throws IOException {
    List<Path> own = FineTuningOptions.mixture(run).map(List::of).orElseGet(List::of);
    return run.corpus(files.isEmpty() ? own : files, validation, test);
  }

  /** Opens the corpus. */
  public Corpus open() throws IOException {
    checkArgument(
        split == null || split.size() == 3,
        "--split takes three numbers, training,validation,test, but was given %s",
        split);
    checkArgument(
        split == null
            || split.stream().allMatch(part -> part <= 1)
            || split.stream().allMatch(part -> part >= 0 && part == Math.rint(part)),
        "--split takes three fractions that add up to 1, or three whole numbers of bytes, but was given"
            + " %s",
        split);
    checkArgument(
        separator == null || !separator.isEmpty(),
        "--separator must have at least 1 character, but has none: leave it out for no documents");
    checkArgument(
        split == null || !enwik8, "--split and --enwik8 exclude each other: leave one out");
    if (files.size() > 1
        || !validation.isEmpty()
        || !test.isEmpty()
        || documents != null
        || separator != null
        || splitBy != null) {
      return build();
    }
    Path path = files.isEmpty() ? Novel.extract() : files.get(0);
    if (Files.isDirectory(path) && !enwik8) {
      checkArgument(
          split == null,
          "--split is for a file, but %s is a folder with a file for each part: leave --split out",
          path);
      return Corpus.folder(path);
    }
    warnOfOtherBytes(path);
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

  /** Opens a corpus of several files, or with documents. */
  private Corpus build() throws IOException {
    checkArgument(!enwik8, "--enwik8 is one file without documents: leave it or the others out");
    checkArgument(
        documents == null || separator == null,
        "--documents and --separator exclude each other: leave one out");
    checkArgument(
        (split == null && splitBy == null) || (validation.isEmpty() && test.isEmpty()),
        "--validation and --test name the parts, so leave out --split and --split-by");
    Corpus.Builder builder = Corpus.builder().documents(documents());
    List<Path> all = files.isEmpty() ? List.of(Novel.extract()) : files;
    for (Path path : all) {
      if (Files.isDirectory(path)) {
        checkArgument(
            all.size() == 1
                && validation.isEmpty()
                && test.isEmpty()
                && split == null
                && splitBy == null,
            "the folder %s has a file for each part: give it as the only --corpus, without --split,"
                + " --split-by, --validation and --test",
            path);
        return builder.folder(path).build();
      }
      warnOfOtherBytes(path);
      builder.file(path);
    }
    for (Path path : validation) {
      builder.validation(path);
    }
    for (Path path : test) {
      builder.test(path);
    }
    return builder.split(split()).build();
  }

  private Documents documents() {
    if (separator != null) {
      return Documents.endingWith(separator);
    }
    if (documents == null) {
      return Documents.NONE;
    }
    return switch (documents) {
      case "lines" -> Documents.LINES;
      case "files" -> Documents.FILES;
      default ->
          throw new IllegalArgumentException(
              lenientFormat(
                  "--documents must be lines or files, but is '%s': use --separator for another text",
                  documents));
    };
  }

  private Split split() {
    checkArgument(
        split == null || split.stream().allMatch(part -> part <= 1),
        "--split takes fractions for several files or documents, but was given the sizes %s",
        split);
    double train = split == null ? Split.DEFAULT.train() : split.get(0);
    double valid = split == null ? Split.DEFAULT.validation() : split.get(1);
    double rest = split == null ? Split.DEFAULT.test() : split.get(2);
    String[] rule = (splitBy == null ? "position" : splitBy).split(":", 2);
    Long seed = rule.length == 1 ? Long.valueOf(0) : Longs.tryParse(rule[1]);
    checkArgument(
        Set.of("position", "hash", "random").contains(rule[0])
            && seed != null
            && (rule.length == 1 || rule[0].equals("random")),
        "--split-by must be position, hash, random or random:SEED, but is '%s'",
        splitBy);
    return switch (rule[0]) {
      case "hash" -> Split.byHash(train, valid, rest);
      case "random" -> Split.random(seed, train, valid, rest);
      default -> Split.byPosition(train, valid, rest);
    };
  }

  /** Warns of an archive or of UTF-16: a valid corpus of bytes, but rarely the intended one. */
  private static void warnOfOtherBytes(Path path) throws IOException {
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
            warn(path, "a " + kind + " file: unpack it, unless you want to model its packed bytes");
          }
        });
    if (UTF_16.stream().anyMatch(begin::startsWith)) {
      warn(path, "text in UTF-16: convert it to UTF-8, unless you want to model these bytes");
    }
  }

  private static void warn(Path path, String kind) {
    System.err.printf(Locale.ROOT, "warning: %s looks like %s%n", path, kind);
  }
}
