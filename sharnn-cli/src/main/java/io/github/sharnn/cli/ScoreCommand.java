package io.github.sharnn.cli;

import static com.google.common.base.Preconditions.checkArgument;
import static io.github.sharnn.cli.progress.Texts.print;
import static java.nio.file.StandardOpenOption.DELETE_ON_CLOSE;
import static java.nio.file.StandardOpenOption.READ;
import static java.nio.file.StandardOpenOption.WRITE;

import ai.djl.Model;
import io.github.sharnn.RunHeader;
import io.github.sharnn.SHARNN;
import io.github.sharnn.cli.lines.LineReader;
import io.github.sharnn.cli.lines.LineTable;
import io.github.sharnn.cli.lines.ParallelScorer;
import io.github.sharnn.cli.options.ModelOptions;
import io.github.sharnn.cli.options.PrecisionOption;
import io.github.sharnn.cli.report.Figures;
import io.github.sharnn.score.Score;
import io.github.sharnn.score.Scorer;
import io.github.sharnn.score.TokenScore;
import io.github.sharnn.vocabulary.Perplexity;
import io.github.sharnn.vocabulary.TextVocabulary;
import java.io.ByteArrayOutputStream;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ArgGroup;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code sharnn.jar score}: measures how well a model predicts a file, its lines or its tokens. */
@Command(
    name = "score",
    description =
        "Print how well a model predicts a file: as a whole, by line or by token. The first token"
            + " is predicted from a newline, or from a full stop if the vocabulary drops white"
            + " space.")
final class ScoreCommand implements Callable<Integer> {

  private static final int LINES_OF_STREAM =
      64; // one batch, so that no line waits for a second one
  private static final int LINES_OF_FILE = 1024; // sorted by length into batches
  private static final int BYTES_AT_ONCE = 1 << 16;
  private static final long BYTES_OF_MIB = 1 << 20;
  private static final Path STANDARD_INPUT = Path.of("-");

  @Mixin private ModelOptions options;

  @Mixin private PrecisionOption precision;

  @Parameters(
      index = "1",
      paramLabel = "FILE",
      description = "The text to score; it may hold any bytes. - is standard input.")
  private Path file;

  /** The options of scores by line. */
  static final class Lines {

    @Option(
        names = "--lines",
        required = true,
        description =
            "Score each line by itself. Prints columns separated by tabs: bits_per_byte, line (its"
                + " number), excess_per_byte (bits beyond the model's expectation), z_score, bits,"
                + " variance (of bits, as the model expects it), max_bits and max_place (the most"
                + " surprising token and its index), top (place:bits of the most surprising tokens)"
                + " and text (the line). - stands for a figure that a line without tokens lacks.")
    private boolean lines;

    @Option(names = "--header", description = "With --lines: begin with the columns' names.")
    private boolean header;

    @Option(
        names = "--top",
        paramLabel = "K",
        defaultValue = "3",
        description = "With --lines: tokens in the column top. Default: ${DEFAULT-VALUE}.")
    private int top;

    @Option(
        names = "--cache",
        paramLabel = "MIB",
        defaultValue = "0",
        description =
            "With --lines: memory for lines already scored, so that an equal line is not scored"
                + " again. Default: ${DEFAULT-VALUE}, no cache.")
    private int cache;
  }

  /** The level of detail. */
  static final class Detail {

    @ArgGroup(exclusive = false)
    private @Nullable Lines lines;

    @Option(
        names = {"--tokens", "--bytes"},
        description =
            "Also print each token: its number, token (a byte as a number), -log2 p, rank, entropy"
                + " in bits and, for words or subwords, its text.")
    private boolean tokens;
  }

  @ArgGroup private Detail detail = new Detail();

  @Option(
      names = "--segment-length",
      paramLabel = "N",
      description =
          "Tokens that go through the model at once; 1 gives the same bits as compress in FLOAT32. Default:"
              + " 256, or half of the memory if that is less; fewer for a large vocabulary.")
  private @Nullable Integer segmentLength;

  private long printed; // tokens

  @Override
  public Integer call() throws Exception {
    boolean standardInput = file.equals(STANDARD_INPUT); // even beside a file of that name
    if (!standardInput && Files.isDirectory(file)) {
      throw new IOException(file + " is a folder: name a file");
    }
    boolean bulk = !standardInput && Files.isRegularFile(file); // no line waits for others
    int workers = bulk && detail.lines != null ? ParallelScorer.workersForFiles() : 1;
    if (workers > 1) {
      ParallelScorer.sharePyTorchThreads(workers);
    }
    try (Model model = options.load()) {
      precision.apply(model);
      Scorer.Builder builder = Scorer.builder(model);
      if (segmentLength != null) {
        builder.segmentLength(segmentLength);
      }
      Lines lines = detail.lines;
      if (lines != null) {
        checkArgument(lines.cache >= 0, "--cache must be at least 0 MiB, but is %s", lines.cache);
        checkArgument(lines.top >= 1, "--top must be at least 1 token, but is %s", lines.top);
        builder.topSurprises(lines.top).cacheBytes(lines.cache * BYTES_OF_MIB);
      }
      Scorer scorer = builder.build();
      RunHeader.of(model).forEach(System.err::println); // standard output gets only the scores
      if (lines != null) {
        boolean gpu = model.getNDManager().getDevice().isGpu();
        try (ParallelScorer parallel = new ParallelScorer(scorer, gpu ? 1 : workers)) {
          scoreLines(scorer, parallel, lines.header, bulk ? LINES_OF_FILE : LINES_OF_STREAM);
        }
      } else {
        scoreAll(scorer, SHARNN.of(model).vocabulary());
      }
    }
    return 0;
  }

  private void scoreAll(Scorer scorer, TextVocabulary vocabulary) throws IOException {
    Consumer<TokenScore> printer =
        detail.tokens ? token -> printToken(token, vocabulary) : token -> {};
    try (InputStream in = open()) {
      Score.Totals totals = scorer.score(in, printer);
      Perplexity perplexity = totals.perplexity();
      checkArgument(
          perplexity.predicted() > 0,
          "%s must have at least one token to score, but has none of the model's %s",
          file,
          vocabulary);
      print(
          "%,d bytes, %.4f bits per byte, %.1f nats, perplexity %.4f, expected %.4f bits per"
              + " byte%n",
          perplexity.units().bytes(),
          totals.bitsPerByte(),
          perplexity.nats(),
          perplexity.ofToken(),
          bits(totals.entropy()) / perplexity.units().bytes());
      if (vocabulary != TextVocabulary.bytes()) {
        System.out.println(Figures.perplexities(perplexity) + Figures.lost(perplexity));
      }
    }
  }

  /** Scores each line including its newline, because an early end may be the odd thing. */
  private void scoreLines(Scorer scorer, ParallelScorer parallel, boolean header, int most)
      throws IOException {
    if (header) {
      System.out.print(LineTable.header());
    }
    LineTable table = LineTable.start();
    try (InputStream in = open()) {
      scorer.totals(List.of(new byte[] {'\n'})); // the first call takes long; no line waits for it
      new LineReader(in, most, BYTES_AT_ONCE)
          .read(
              new LineReader.Receiver() {
                @Override
                public void lines(List<byte[]> lines) throws IOException {
                  Iterator<Score.Totals> totals = parallel.totals(lines).iterator();
                  ByteArrayOutputStream rows = new ByteArrayOutputStream();
                  for (byte[] line : lines) {
                    rows.writeBytes(table.row(totals.next()));
                    rows.writeBytes(line);
                  }
                  rows.writeTo(System.out);
                }

                @Override
                public void longLine(InputStream line) throws IOException {
                  scoreLongLine(scorer, line, table);
                }
              });
    }
  }

  /**
   * Keeps the line in a file, because its score is printed before its text. A killed process leaves
   * no such file on Linux and macOS.
   */
  private static void scoreLongLine(Scorer scorer, InputStream line, LineTable table)
      throws IOException {
    Path file = Files.createTempFile("sharnn", ".line");
    try (FileChannel kept = FileChannel.open(file, READ, WRITE, DELETE_ON_CLOSE)) {
      line.transferTo(Channels.newOutputStream(kept));
      InputStream again = Channels.newInputStream(kept.position(0));
      System.out.write(table.row(scorer.score(again, token -> {})));
      Channels.newInputStream(kept.position(0)).transferTo(System.out);
    }
  }

  /** Opens the file. A FileInputStream tells if a pipe has more bytes; that of Files does not. */
  private InputStream open() throws IOException {
    if (file.equals(STANDARD_INPUT)) {
      return System.in;
    }
    if (Files.notExists(file)) {
      throw new NoSuchFileException(file.toString());
    }
    return new FileInputStream(file.toFile());
  }

  private static double bits(double nats) {
    return nats / Math.log(2);
  }

  private void printToken(TokenScore score, TextVocabulary vocabulary) {
    print(
        "%d\t%d\t%.4f\t%d\t%.4f%s%n",
        printed++,
        score.token(),
        -bits(score.logProbability()),
        score.rank(),
        bits(score.entropy()),
        vocabulary == TextVocabulary.bytes() ? "" : "\t" + vocabulary.getToken(score.token()));
  }
}
