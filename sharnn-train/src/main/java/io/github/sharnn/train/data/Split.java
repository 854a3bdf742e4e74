package io.github.sharnn.train.data;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.hash.Hasher;
import com.google.common.hash.Hashing;

/**
 * The way to divide a corpus into its training, validation and test parts.
 *
 * @param by the rule that assigns a document to a part
 * @param train fraction to train on
 * @param validation fraction to validate on
 * @param test fraction to test on; the three add up to 1
 * @param seed seed of {@link By#RANDOM}; 0 for the others
 */
public record Split(By by, double train, double validation, double test, long seed) {

  /** 90% training, 5% validation and 5% test, in this order. */
  public static final Split DEFAULT = byPosition(0.90, 0.05, 0.05);

  /** The rule that assigns a document to a part. */
  public enum By {
    /** The corpus is cut in two places, so the test part is its end. */
    POSITION,
    /**
     * A hash of the document's bytes decides, so equal documents are in one part, and a document
     * stays in its part when the corpus grows.
     */
    HASH,
    /** A random number of the seed and the document's place decides. */
    RANDOM
  }

  /**
   * Checks the components, which may come from a file.
   *
   * @param by not null
   * @param train above 0
   * @param validation above 0
   * @param test above 0
   * @param seed any number
   * @throws IllegalArgumentException if the fractions are not positive or do not add up to 1
   */
  public Split {
    checkArgument(by != null, "the rule of the split is missing");
    CorpusSplit.checkFractions(train, validation, test);
  }

  /**
   * {@return a split of the corpus at two places} With documents, each place is moved to the next
   * end of a document.
   *
   * @param train fraction to train on
   * @param validation fraction to validate on
   * @param test fraction to test on; the three add up to 1
   * @throws IllegalArgumentException if the fractions are not positive or do not add up to 1
   */
  public static Split byPosition(double train, double validation, double test) {
    return new Split(By.POSITION, train, validation, test, 0);
  }

  /**
   * {@return a split by a hash of each document}
   *
   * @param train approximate fraction of the different documents to train on
   * @param validation fraction to validate on
   * @param test fraction to test on; the three add up to 1
   * @throws IllegalArgumentException if the fractions are not positive or do not add up to 1
   */
  public static Split byHash(double train, double validation, double test) {
    return new Split(By.HASH, train, validation, test, 0);
  }

  /**
   * {@return a random split of the documents}
   *
   * @param seed seed of the choice
   * @param train approximate fraction of the documents to train on
   * @param validation fraction to validate on
   * @param test fraction to test on; the three add up to 1
   * @throws IllegalArgumentException if the fractions are not positive or do not add up to 1
   */
  public static Split random(long seed, double train, double validation, double test) {
    return new Split(By.RANDOM, train, validation, test, seed);
  }

  /** Returns the part of a document: 0 for training, 1 for validation, 2 for test. */
  int part(MappedFile file, long from, long bytes, long index) {
    double place = by == By.HASH ? hash(file, from, bytes) : Seeds.uniform(seed, index);
    return place < train ? 0 : place < train + validation ? 1 : 2;
  }

  private static double hash(MappedFile file, long from, long bytes) {
    Hasher hasher = Hashing.murmur3_128().newHasher();
    file.forEachChunk(from, bytes, (chunk, count) -> hasher.putBytes(chunk, 0, count));
    return (hasher.hash().asLong() >>> 11) * 0x1p-53;
  }
}
