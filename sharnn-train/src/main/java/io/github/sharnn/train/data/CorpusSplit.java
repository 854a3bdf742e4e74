package io.github.sharnn.train.data;

import static com.google.common.base.Preconditions.checkArgument;

import com.google.common.math.LongMath;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/** The ways to split one file into a training, a validation and a test part. */
final class CorpusSplit {

  private static final long ENWIK8_BYTES = 100_000_000;

  private CorpusSplit() {}

  static void checkFractions(double train, double validation, double test) {
    checkArgument(
        train > 0 && validation > 0 && test > 0 && Math.abs(train + validation + test - 1) < 1e-9,
        "the fractions of training, validation and test must be positive and add up to 1, but are %s,"
            + " %s and %s",
        train,
        validation,
        test);
  }

  static List<TextRange> byFractions(Path file, double train, double validation, double test)
      throws IOException {
    checkFractions(train, validation, test);
    long length = MappedFile.length(file);
    long validationBytes = (long) (length * validation);
    long testBytes = (long) (length * test);
    return bySizes(file, length - validationBytes - testBytes, validationBytes, testBytes);
  }

  static List<TextRange> bySizes(Path file, long train, long validation, long test)
      throws IOException {
    long length = MappedFile.length(file);
    checkArgument(
        train >= 2 && validation >= 2 && test >= 2,
        "each part of a corpus needs at least 2 bytes, one to read and one to predict, but the split of"
            + " %s (%s bytes) has %s training, %s validation and %s test bytes: use a longer file or"
            + " another split",
        file,
        length,
        train,
        validation,
        test);
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
    MappedFile mapped = MappedFile.open(file);
    return List.of(
        new TextRange(TextRange.PARTS.get(0), mapped, 0, train, null),
        new TextRange(TextRange.PARTS.get(1), mapped, train, validation, null),
        new TextRange(TextRange.PARTS.get(2), mapped, train + validation, test, null));
  }

  static List<TextRange> enwik8(Path file) throws IOException {
    long length = MappedFile.length(file);
    checkArgument(
        length == ENWIK8_BYTES,
        "enwik8 has exactly %s bytes, but %s has %s; open another file with fractions or sizes",
        ENWIK8_BYTES,
        file,
        length);
    return bySizes(file, 90_000_000, 5_000_000, 5_000_000);
  }
}
