package io.github.sharnn.train;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.math.LongMath;
import java.io.IOException;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The bytes of one file in three contiguous parts: training, validation, test. The file is
 * memory-mapped and never loaded whole; it must not change while it is in use.
 *
 * <pre>{@code
 * Corpus corpus = Corpus.open(Path.of("book.txt"));      // 90% / 5% / 5%
 * Corpus enwik8 = Corpus.enwik8(Path.of("enwik8"));      // 90M / 5M / 5M bytes
 * }</pre>
 */
public final class Corpus {

  private static final long ENWIK8_BYTES = 100_000_000;
  private static final int MAP_BITS =
      30; // one mapping holds 1 GiB, below the 2 GiB limit of a buffer
  private static final long MAP_BYTES = 1L << MAP_BITS;

  private final Path file;
  private final List<MappedByteBuffer> maps;
  private final Part train;
  private final Part validation;
  private final Part test;

  private Corpus(Path file, List<MappedByteBuffer> maps, long train, long validation, long test) {
    this.file = file;
    this.maps = maps;
    this.train = new Part("training", 0, train);
    this.validation = new Part("validation", train, validation);
    this.test = new Part("test", train + validation, test);
  }

  /**
   * Opens a file as 90% training, 5% validation and 5% test.
   *
   * @param file the file
   * @return the corpus
   * @throws IOException if the file is missing or can't be read
   * @throws IllegalArgumentException if the file is empty or too short to have three parts
   */
  public static Corpus open(Path file) throws IOException {
    return withFractions(file, 0.90, 0.05, 0.05);
  }

  /**
   * Opens a file split by fractions. Validation and test are rounded down to bytes; what rounding
   * leaves goes to training.
   *
   * @param file the file
   * @param train fraction to train on
   * @param validation fraction to validate on
   * @param test fraction to test on; the three add up to 1
   * @return the corpus
   * @throws IOException if the file is missing or can't be read
   * @throws IllegalArgumentException if the fractions are not positive or do not add up to 1, or
   *     the file is empty or too short
   */
  public static Corpus withFractions(Path file, double train, double validation, double test)
      throws IOException {
    checkArgument(
        train > 0 && validation > 0 && test > 0 && Math.abs(train + validation + test - 1) < 1e-9,
        "the fractions of training, validation and test must be positive and add up to 1, but are %s,"
            + " %s and %s",
        train,
        validation,
        test);
    long length = length(file);
    long validationBytes = (long) (length * validation);
    long testBytes = (long) (length * test);
    return map(file, length, length - validationBytes - testBytes, validationBytes, testBytes);
  }

  /**
   * Opens a file split by sizes from its start; bytes past the three parts are left out.
   *
   * @param file the file
   * @param train bytes to train on
   * @param validation bytes to validate on
   * @param test bytes to test on
   * @return the corpus
   * @throws IOException if the file is missing or can't be read
   * @throws IllegalArgumentException if a size is below 2 or the file is shorter than their sum
   */
  public static Corpus withSizes(Path file, long train, long validation, long test)
      throws IOException {
    long length = length(file);
    checkParts(file, length, train, validation, test);
    long needed = LongMath.saturatedAdd(LongMath.saturatedAdd(train, validation), test);
    checkArgument(
        length >= needed,
        "%s must have at least %s bytes (training %s + validation %s + test %s), but has %s",
        file,
        needed,
        train,
        validation,
        test,
        length);
    return map(file, length, train, validation, test);
  }

  /**
   * Opens a file of exactly 100,000,000 bytes split as enwik8 is: 90M, 5M and 5M.
   *
   * @param file the file
   * @return the corpus
   * @throws IOException if the file is missing or can't be read
   * @throws IllegalArgumentException if the file has another size
   */
  public static Corpus enwik8(Path file) throws IOException {
    long length = length(file);
    checkArgument(
        length == ENWIK8_BYTES,
        "enwik8 has exactly %s bytes, but %s has %s; open another file with fractions or sizes",
        ENWIK8_BYTES,
        file,
        length);
    return withSizes(file, 90_000_000, 5_000_000, 5_000_000);
  }

  private static long length(Path file) throws IOException {
    if (Files.notExists(file)) {
      throw new NoSuchFileException(file.toString(), null, "the corpus file does not exist");
    }
    checkArgument(
        Files.isRegularFile(file), "the corpus must be one file, but %s is a folder", file);
    long length = Files.size(file);
    checkArgument(length > 0, "the corpus %s is empty", file);
    return length;
  }

  private static void checkParts(Path file, long length, long train, long validation, long test) {
    checkArgument(
        train >= 2 && validation >= 2 && test >= 2,
        "each part of a corpus needs at least 2 bytes, one to read and one to predict, but %s with %s"
            + " bytes gives %s to training, %s to validation and %s to test",
        file,
        length,
        train,
        validation,
        test);
  }

  private static Corpus map(Path file, long length, long train, long validation, long test)
      throws IOException {
    checkParts(file, length, train, validation, test);
    List<MappedByteBuffer> maps = new ArrayList<>();
    try (FileChannel channel = FileChannel.open(file)) {
      for (long from = 0; from < length; from += MAP_BYTES) {
        maps.add(
            channel.map(FileChannel.MapMode.READ_ONLY, from, Math.min(MAP_BYTES, length - from)));
      }
    }
    return new Corpus(file, maps, train, validation, test);
  }

  /**
   * Returns the part to train on.
   *
   * @return the first part
   */
  public Part train() {
    return train;
  }

  /**
   * Returns the part to validate on.
   *
   * @return the second part
   */
  public Part validation() {
    return validation;
  }

  /**
   * Returns the part to test on.
   *
   * @return the third part
   */
  public Part test() {
    return test;
  }

  /**
   * Reads the whole file once to identify it. The result is kept in DJL's cache folder, {@code
   * ~/.djl.ai/sharnn} or under {@code DJL_CACHE_DIR}, for as long as the file's size and time of
   * change stay.
   *
   * @return the SHA-256 of the file in lower-case hexadecimal
   * @throws IOException if the file can't be read
   */
  public String sha256() throws IOException {
    return CorpusHash.of(file);
  }

  /** Describes this corpus for a checkpoint. */
  TrainingRecord.CorpusRecord record() throws IOException {
    return new TrainingRecord.CorpusRecord(
        file.toAbsolutePath().toString(),
        train.length(),
        validation.length(),
        test.length(),
        sha256());
  }

  @Override
  public String toString() {
    return "%s: training %,d, validation %,d, test %,d bytes"
        .formatted(file, train.length(), validation.length(), test.length());
  }

  /** A contiguous range of the corpus. */
  public final class Part {

    private final String name;
    private final long start;
    private final long length;

    private Part(String name, long start, long length) {
      this.name = name;
      this.start = start;
      this.length = length;
    }

    /**
     * Returns the number of bytes.
     *
     * @return the length
     */
    public long length() {
      return length;
    }

    /**
     * Returns the end of this part.
     *
     * @param position where it begins, from 0 to the length
     * @return the bytes from there on
     */
    Part from(long position) {
      return new Part(name, start + position, length - position);
    }

    /**
     * Copies bytes.
     *
     * @param from position of the first byte in this part
     * @param target where they go, filled whole
     * @throws IllegalArgumentException if the range leaves this part
     */
    public void read(long from, byte[] target) {
      checkArgument(
          from >= 0 && from <= length - target.length,
          "%s bytes from position %s are outside the %s part, which has %s",
          target.length,
          from,
          name,
          length);
      int done = 0;
      while (done < target.length) {
        long at = start + from + done;
        MappedByteBuffer map = maps.get((int) (at >>> MAP_BITS));
        int offset = (int) (at & (MAP_BYTES - 1));
        int count = Math.min(target.length - done, map.limit() - offset);
        map.get(offset, target, done, count);
        done += count;
      }
    }

    @Override
    public String toString() {
      return "%s part of %s (%,d bytes)".formatted(name, file, length);
    }
  }
}
