package io.github.sharnn.cli.compress;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import ai.djl.Model;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.types.DataType;
import ai.djl.ndarray.types.Shape;
import ai.djl.training.tracker.Tracker;
import ai.djl.util.Progress;
import io.github.sharnn.SHARNN;
import io.github.sharnn.SHARNNConfig;
import io.github.sharnn.SafetensorsWeights;
import io.github.sharnn.score.Scorer;
import io.github.sharnn.train.Budget;
import io.github.sharnn.train.SHARNNTrainer;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.vocabulary.WordVocabulary;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import javax.imageio.ImageIO;
import org.assertj.core.data.Percentage;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FileCompressorTest {

  private static final int MEMORY_LENGTH = 64;

  @TempDir private static Path shared;
  private static Model model;
  private static FileCompressor compressor;

  @TempDir private Path folder;

  /** The last numbers of a progress line. */
  private static final class Counter implements Progress {

    private String task;
    private long total;
    private long done;
    private String shown;

    @Override
    public void reset(String message, long max, String trailingMessage) {
      task = message;
      total = max;
      done = 0;
    }

    @Override
    public void start(long initialProgress) {
      done = initialProgress;
    }

    @Override
    public void increment(long increment) {
      done += increment;
    }

    @Override
    public void update(long progress, String message) {
      done = progress;
    }

    @Override
    public void end() {
      shown = task + " " + done + " of " + total;
    }
  }

  private static SHARNNConfig.Builder builder() {
    return SHARNN
        .builder()
        .embeddingSize(16)
        .boomSize(32)
        .layers(2)
        .memoryLength(MEMORY_LENGTH)
        .dropouts(0);
  }

  private static byte[] text(int seed, int length) {
    String[] words = {"the old ", "man ", "sat ", "and ", "went on, ", "never", ".\n", "Nell "};
    Random random = new Random(seed);
    StringBuilder text = new StringBuilder();
    while (text.length() < length) {
      text.append(words[random.nextInt(words.length)]);
    }
    return text.substring(0, length).getBytes(StandardCharsets.US_ASCII);
  }

  @BeforeAll
  static void train() throws Exception {
    Path corpus = Files.write(shared.resolve("corpus.txt"), text(1, 20_000));
    model = builder().build().newModel("words");
    SHARNNTrainer.builder(model)
        .batchSize(8)
        .sequenceLength(32)
        .learningRate(Tracker.fixed(5e-3f))
        .build()
        .fit(Corpus.open(corpus), Budget.steps(80));
    compressor = new FileCompressor(model);
  }

  @AfterAll
  static void close() {
    model.close();
  }

  private FileCompressor.Sizes assertComesBack(byte[] original) throws IOException {
    Path file = Files.write(folder.resolve("original"), original);
    Path compressed = folder.resolve("compressed");
    Path back = folder.resolve("back");
    Counter progress = new Counter();
    FileCompressor.Sizes sizes = compressor.compress(file, compressed, progress);
    assertThat(progress.shown).isEqualTo("compress %1$d of %1$d", original.length);
    assertThat(sizes.original()).isEqualTo(original.length);
    assertThat(sizes.header() + sizes.code()).isEqualTo(Files.size(compressed));
    assertThat(sizes.header()).isLessThan(160);
    assertThat(compressor.decompress(compressed, back, progress)).isEqualTo(sizes);
    assertThat(progress.shown).isEqualTo("decompress %1$d of %1$d", original.length);
    assertThat(back).hasBinaryContent(original);
    try (Stream<Path> files = Files.list(folder)) {
      assertThat(files).containsExactlyInAnyOrder(file, compressed, back);
    }
    return sizes;
  }

  /** With the memory of 64 overflowing many times. */
  @Test
  void a_text_comes_back_and_costs_the_scorers_bits() throws Exception {
    byte[] text = text(2, 600);
    FileCompressor.Sizes sizes = assertComesBack(text);
    double bits = Scorer.builder(model).segmentLength(1).build().score(text).totals().bits();
    double tail = 10; // the end of the code, to a whole byte
    assertThat(8.0 * sizes.code()).isBetween(bits, 1.0005 * bits + tail);
    assertThat(bits / text.length).isLessThan(3);
    double inSegments = Scorer.builder(model).build().score(text).totals().bits();
    assertThat(8.0 * sizes.code()).isCloseTo(inSegments, within(0.005 * inSegments + tail));
  }

  @Test
  void an_image_comes_back_and_costs_no_more_than_the_scorers_bits() throws Exception {
    BufferedImage image = new BufferedImage(6, 6, BufferedImage.TYPE_INT_RGB);
    Random random = new Random(3);
    for (int i = 0; i < 36; i++) {
      image.setRGB(i % 6, i / 6, random.nextInt(1 << 24));
    }
    Path png = shared.resolve("image.png");
    ImageIO.write(image, "png", png.toFile());
    byte[] bytes = Files.readAllBytes(png);
    FileCompressor.Sizes sizes = assertComesBack(bytes);
    assertThat(sizes.original()).isGreaterThan(100);
    // a byte that the model holds for impossible costs less than its bits say, none costs more
    double bits = Scorer.builder(model).segmentLength(1).build().score(bytes).totals().bits();
    assertThat(8.0 * sizes.code()).isLessThan(1.005 * bits + 10);
  }

  @Test
  void an_empty_file_comes_back() throws Exception {
    assertComesBack(new byte[0]);
  }

  @Test
  void a_file_of_one_byte_comes_back() throws Exception {
    assertComesBack(new byte[] {(byte) 0xff});
  }

  @Test
  void damage_anywhere_is_an_error_and_leaves_no_file() throws Exception {
    Path file = Files.write(folder.resolve("original"), text(4, 60));
    Path compressed = folder.resolve("compressed");
    FileCompressor.Sizes sizes = compressor.compress(file, compressed, new Counter());
    byte[] good = Files.readAllBytes(compressed);
    int lengthAt = 14;
    int code = (int) sizes.header();
    for (int at : new int[] {0, 3, 4, 5, 6, 13, lengthAt + 6, 21, 22, 53, code, code + 3}) {
      byte[] bad = good.clone();
      bad[at] ^= 4;
      assertRefused(bad, "compressed");
    }
    for (int length : new int[] {0, 3, 4, 12, 50, code, good.length - 1}) {
      assertRefused(Arrays.copyOf(good, length), "compressed");
    }
    assertRefused(Arrays.copyOf(good, good.length + 1), "decompresses to a wrong result");
    assertRefused(text(5, 300), "is no file that sharnn.jar compress wrote");
    bad(good, 4, 9, "has format version 9, but this library reads version 4");
    bad(good, 5, 7, "is damaged: its weights have 7 bits");
    bad(
        good,
        5,
        16,
        "was compressed in FLOAT16, but this model is in FLOAT32: name the folder of the FLOAT16 model that compressed it");
    bad(good, lengthAt, 0x80, "is damaged: its original's length is -");
    bad(good, lengthAt + 6, 1, "is cut off: the code ends too early");
    int text = lengthAt + 8 + 32; // its length, and its characters
    bad(good, text + 2, 0xff, "is damaged: a text in its header is not UTF-8");
    bad(
        good,
        lengthAt + 8,
        ~good[lengthAt + 8],
        "rounds differently from the one that compressed it");
  }

  private void bad(byte[] good, int at, int value, String message) throws IOException {
    byte[] bad = good.clone();
    bad[at] = (byte) value;
    assertRefused(bad, message);
  }

  private void assertRefused(byte[] damaged, String message) throws IOException {
    Path file = Files.write(folder.resolve("damaged-compressed"), damaged);
    Path back = folder.resolve("back");
    assertThatThrownBy(() -> compressor.decompress(file, back, new Counter()))
        .isInstanceOf(IOException.class)
        .hasMessageContaining(file.toString())
        .hasMessageContaining(message);
    try (Stream<Path> files = Files.list(folder)) {
      assertThat(files.map(path -> path.getFileName().toString()))
          .containsExactlyInAnyOrder("original", "compressed", "damaged-compressed");
    }
  }

  @Test
  void another_model_is_refused() throws Exception {
    Path file = Files.write(folder.resolve("original"), text(4, 10));
    Path compressed = folder.resolve("compressed");
    compressor.compress(file, compressed, new Counter());
    SHARNN block = SHARNN.of(model);
    try (Model shorter = block.withMemoryLength(MEMORY_LENGTH - 1).newModel("shorter")) {
      assertThatThrownBy(
              () ->
                  new FileCompressor(shorter)
                      .decompress(compressed, folder.resolve("back"), new Counter()))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("was compressed with model");
    }
    try (Model same = block.withMemoryLength(MEMORY_LENGTH).newModel("same")) {
      new FileCompressor(same).decompress(compressed, folder.resolve("back"), new Counter());
    }
    assertThat(folder.resolve("back")).hasBinaryContent(text(4, 10));
  }

  @Test
  void quantized_models_are_told_apart_and_give_the_file_back() throws Exception {
    Path file = Files.write(folder.resolve("original"), text(4, 40));
    Path compressed = folder.resolve("compressed");
    Path exact = folder.resolve("exact");
    Path back = folder.resolve("back");
    FileCompressor.Sizes sizes = compressor.compress(file, exact, new Counter());
    model.save(folder.resolve("saved"), null);
    try (Model quantized = SHARNN.load(folder.resolve("saved"), null, SHARNN::quantize);
        Model other = SHARNN.load(folder.resolve("saved"))) {
      FileCompressor ofQuantized = new FileCompressor(quantized);
      FileCompressor.Sizes rounded = ofQuantized.compress(file, compressed, new Counter());
      assertThat((double) rounded.code()).isCloseTo(sizes.code(), Percentage.withPercentage(10));
      ofQuantized.decompress(compressed, back, new Counter());
      assertThat(back).hasSameBinaryContentAs(file);
      assertThatThrownBy(
              () -> compressor.decompress(compressed, folder.resolve("none"), new Counter()))
          .isInstanceOf(IOException.class)
          .hasMessageEndingWith(
              "was compressed in INT8, but this model is in FLOAT32: use --precision INT8, in Java a"
                  + " model after quantize()");
      assertThatThrownBy(() -> ofQuantized.decompress(exact, folder.resolve("none"), new Counter()))
          .isInstanceOf(IOException.class)
          .hasMessageEndingWith(
              "was compressed in FLOAT32, but this model is in INT8: use --precision FLOAT32, in"
                  + " Java a model without quantize(); if the model was saved in INT8, name the folder"
                  + " of the FLOAT32 model that compressed it");

      SHARNN block = SHARNN.of(other);
      NDArray matrix = SafetensorsWeights.names(block).get("blocks.0.ff.linear1.weight").getArray();
      matrix.muli(2);
      block.quantize();
      assertThatThrownBy(
              () ->
                  new FileCompressor(other)
                      .decompress(compressed, folder.resolve("none"), new Counter()))
          .isInstanceOf(IOException.class)
          .hasMessageContaining("was compressed with model");

      quantized.save(folder.resolve("smaller"), null);
    }
    try (Model again = SHARNN.load(folder.resolve("smaller"), null, SHARNN::quantize)) {
      Path second = folder.resolve("second");
      new FileCompressor(again).decompress(compressed, second, new Counter());
      assertThat(second).hasSameBinaryContentAs(file);
    }
    assertThat(folder.resolve("none")).doesNotExist();
  }

  @Test
  void leaves_existing_files_alone() throws Exception {
    Path file = Files.write(folder.resolve("original"), text(4, 10));
    Path taken = Files.writeString(folder.resolve("taken"), "work");
    Path compressed = folder.resolve("compressed");
    Counter untouched = new Counter();
    assertThatThrownBy(() -> compressor.compress(file, taken, untouched))
        .isInstanceOf(FileAlreadyExistsException.class);
    compressor.compress(file, compressed, new Counter());
    assertThatThrownBy(() -> compressor.decompress(compressed, taken, untouched))
        .isInstanceOf(FileAlreadyExistsException.class);
    assertThat(untouched.task).as("before the work").isNull();
    assertThat(taken).hasContent("work");
  }

  @Test
  void says_before_the_work_that_there_is_nothing_to_read_or_nowhere_to_write() throws Exception {
    Path file = Files.write(folder.resolve("original"), text(4, 10));
    Path missing = folder.resolve("missing");
    Counter untouched = new Counter();
    assertThatThrownBy(() -> compressor.compress(file, missing.resolve("file"), untouched))
        .isInstanceOf(NoSuchFileException.class)
        .hasMessage(missing.toString());
    Path link = Files.createSymbolicLink(folder.resolve("link"), missing);
    assertThatThrownBy(() -> compressor.compress(file, link, untouched))
        .isInstanceOf(FileAlreadyExistsException.class)
        .hasMessageContaining("--output");
    assertThatThrownBy(() -> compressor.compress(folder, missing, untouched))
        .isInstanceOf(IOException.class)
        .hasMessage(folder + " is a folder: name a file");
    Path large = folder.resolve("large");
    try (RandomAccessFile sparse = new RandomAccessFile(large.toFile(), "rw")) {
      sparse.setLength(1L << 31);
    }
    assertThatThrownBy(() -> compressor.compress(large, missing, untouched))
        .isInstanceOf(IOException.class)
        .hasMessage(
            large + " must have at most 2,147,483,639 bytes, but has 2,147,483,648: split it");
    assertThat(untouched.task).isNull();
  }

  @Test
  void refuses_a_model_that_lacks_bytes() throws Exception {
    Path file = Files.write(folder.resolve("original"), new byte[] {1, 99, 100});
    try (Model small = builder().vocabularySize(100).build().newModel("small");
        Model tiny = builder().vocabularySize(10).build().newModel("tiny");
        Model words =
            builder()
                .vocabulary(WordVocabulary.of(List.of("<unk>", "<eos>")))
                .build()
                .newModel("words")) {
      SHARNN.of(small).initialize(small.getNDManager(), DataType.FLOAT32, new Shape(1, 1));
      assertThatIllegalArgumentException()
          .isThrownBy(
              () ->
                  new FileCompressor(small)
                      .compress(file, folder.resolve("compressed"), new Counter()))
          .withMessageContaining("vocabularySize - 1 (99), but byte 2 is 100");
      assertThatIllegalArgumentException()
          .isThrownBy(() -> new FileCompressor(tiny))
          .withMessageContaining("vocabularySize above 10 (newline)");
      assertThatIllegalArgumentException()
          .isThrownBy(() -> new FileCompressor(words))
          .withMessageContaining("but has 2 words, which lose some");
      assertThat(folder.resolve("compressed")).doesNotExist();
    }
  }
}
