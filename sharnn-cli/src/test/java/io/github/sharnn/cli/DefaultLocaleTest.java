package io.github.sharnn.cli;

import static io.github.sharnn.cli.Outcome.run;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.text.DecimalFormatSymbols;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Commands write the same under every default locale. */
class DefaultLocaleTest extends TrainedModelTest {

  private final Locale before = Locale.getDefault();
  @TempDir private Path folder;

  @AfterEach
  void restore() {
    Locale.setDefault(before);
  }

  /** Returns one locale for each way to write numbers, and Turkish with its two letters i. */
  private static Iterable<Locale> locales() {
    Map<String, Locale> locales = new LinkedHashMap<>();
    locales.put("i", Locale.forLanguageTag("tr-TR"));
    for (String digits : "arab arabext beng deva fullwide mymr thai tibt".split(" ")) {
      locales.put(digits, Locale.forLanguageTag("en-u-nu-" + digits));
    }
    for (Locale locale : Locale.getAvailableLocales()) {
      DecimalFormatSymbols symbols = DecimalFormatSymbols.getInstance(locale);
      locales.putIfAbsent(
          String.format(
              Locale.ROOT,
              "%c%c%c%c",
              symbols.getZeroDigit(),
              symbols.getDecimalSeparator(),
              symbols.getGroupingSeparator(),
              symbols.getMinusSign()),
          locale);
    }
    assertThat(locales).hasSizeGreaterThan(20);
    return locales.values();
  }

  private String plotted(Locale locale) throws IOException {
    Locale.setDefault(locale);
    Path svg = folder.resolve("curves.svg");
    Files.deleteIfExists(svg);
    assertThat(run("plot", model.resolve("metrics.jsonl"), "--output", svg).err()).isEmpty();
    return Files.readString(svg);
  }

  private String reported(Locale locale) throws IOException {
    Locale.setDefault(locale);
    Path page = folder.resolve("report.html");
    Files.deleteIfExists(page);
    assertThat(run("report", model, "--output", page).err()).isEmpty();
    return Files.readString(page).replaceAll("Written \\S+", "");
  }

  /** Letters and digits are shapes in these pictures, so only equality proves ASCII digits. */
  @Test
  void pictures_are_the_same_in_every_way_to_write_numbers() throws IOException {
    String expected = plotted(Locale.ROOT);
    assertThat(expected).contains("viewBox=\"0 0 900 480\"");
    for (Locale locale : locales()) {
      assertThat(plotted(locale)).as(locale.toLanguageTag()).isEqualTo(expected);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"ar-EG", "th-TH-u-nu-thai"})
  void a_report_is_the_same(String tag) throws IOException {
    String expected = reported(Locale.ROOT);
    assertThat(expected).contains("{\"step\":[1");
    assertThat(reported(Locale.forLanguageTag(tag))).isEqualTo(expected);
  }

  @Test
  void a_run_resumes_and_its_model_works() throws IOException {
    Locale.setDefault(Locale.forLanguageTag("fa-IR"));
    Path saved = folder.resolve("model");
    assertThat(train("--output", saved, "--steps", 2, "--checkpoint-interval", 1).err()).isEmpty();
    assertThat(saved.resolve("checkpoint-1-00000002")).isDirectory();
    Outcome resumed = run("train", "--resume", saved, "--steps", 4);
    assertThat(resumed.err()).isEmpty();
    assertThat(resumed.out()).contains("step 4 ", "best: step 4, valid ");
    Path text = Files.writeString(folder.resolve("a.txt"), "abcd efgh");
    Path packed = folder.resolve("a.sharnn");
    Path unpacked = folder.resolve("b.txt");
    Outcome score = run("score", saved, text);
    Outcome generated = run("generate", saved, "--prompt", "abcd", "--length", 9, "--seed", 1);
    assertThat(run("compress", saved, text, "--output", packed).code()).isZero();
    Locale.setDefault(Locale.ROOT);
    assertThat(run("score", saved, text)).isEqualTo(score);
    assertThat(run("generate", saved, "--prompt", "abcd", "--length", 9, "--seed", 1).out())
        .isEqualTo(generated.out());
    assertThat(run("decompress", saved, packed, "--output", unpacked).code()).isZero();
    assertThat(unpacked).hasContent("abcd efgh");
  }
}
