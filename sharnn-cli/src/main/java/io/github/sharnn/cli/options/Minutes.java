package io.github.sharnn.cli.options;

import static io.github.sharnn.cli.progress.Texts.format;

import java.time.Duration;
import picocli.CommandLine.ITypeConverter;
import picocli.CommandLine.TypeConversionException;

/** A converter of a number of minutes, such as 0.5. */
public final class Minutes implements ITypeConverter<Duration> {

  private static final double MOST = Duration.ofDays(36_525).toMinutes(); // 100 years
  private static final int MILLIS = 60_000;

  @Override
  public Duration convert(String value) {
    double minutes = Double.NaN;
    try {
      minutes = Double.parseDouble(value);
    } catch (NumberFormatException e) {
      // rejected below, as NaN is
    }
    if (!(minutes >= 0 && minutes <= MOST)) {
      throw new TypeConversionException(
          format(
              "expected a number of minutes from 0 to %.0f (100 years), but was '%s'",
              MOST, value));
    }
    return Duration.ofMillis(Math.round(minutes * MILLIS));
  }
}
