package io.github.sharnn.cli;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.US_ASCII;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;

class ArgumentsTest {

  /** Reads a command line as Java does in a locale, then exactly. */
  private static String[] exact(byte[] commandLine, int count, Charset locale) {
    String[] all = new String(commandLine, ISO_8859_1).split("\0", -1);
    String[] args =
        Arrays.stream(all, all.length - 1 - count, all.length - 1)
            .map(arg -> new String(arg.getBytes(ISO_8859_1), locale))
            .toArray(String[]::new);
    return Arguments.exact(args, commandLine, locale);
  }

  private static byte[] utf8(String text) {
    return text.getBytes(StandardCharsets.UTF_8);
  }

  @Test
  void reads_utf8_in_the_locale_c() {
    byte[] line = utf8("java\0-jar\0sharnn.jar\0generate\0caf\u00e9\0\0\ud83d\ude42 a\0");
    assertThat(exact(line, 4, US_ASCII))
        .containsExactly("generate", "caf\u00e9", "", "\ud83d\ude42 a");
    assertThat(exact(line, 4, UTF_8))
        .containsExactly("generate", "caf\u00e9", "", "\ud83d\ude42 a");
  }

  @Test
  void keeps_the_replacement_character_itself() {
    byte[] line = utf8("java\0Sharnn\0x\ufffd\0");
    assertThat(exact(line, 1, US_ASCII)).containsExactly("x\ufffd");
    assertThat(exact(line, 1, UTF_8)).containsExactly("x\ufffd");
  }

  @Test
  void rejects_bytes_that_are_no_text() {
    byte[] line = "java\0Sharnn\0a\u00fc\0".getBytes(ISO_8859_1);
    for (Charset locale : new Charset[] {US_ASCII, UTF_8}) {
      assertThatThrownBy(() -> exact(line, 1, locale))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("the argument 'a\ufffd' is not valid UTF-8");
    }
    assertThat(exact(line, 1, ISO_8859_1)).containsExactly("a\u00fc");
  }

  @Test
  void rejects_a_changed_argument_if_the_bytes_are_unknown() {
    String[] args = {"generate", "a\ufffd"};
    for (byte[] line : new byte[][] {null, {}, utf8("java\0@file\0"), utf8("java\0x\0b\u00e9\0")}) {
      assertThatThrownBy(() -> Arguments.exact(args, line, US_ASCII))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessageContaining("'a\ufffd'", "US-ASCII", "LC_ALL");
    }
    assertThat(Arguments.exact(new String[] {"a"}, null, US_ASCII)).containsExactly("a");
  }

  @Test
  @EnabledOnOs(OS.LINUX)
  void a_process_reads_or_rejects_every_argument_in_the_locale_c() throws Exception {
    // \303\251 is e with an acute accent in UTF-8
    assertThat(inLocaleC("generate m --caf\\303\\251"))
        .isEqualTo(new Outcome(2, "", "Unknown option: '--caf\u00e9'"));
    assertThat(inLocaleC("export caf\\303\\251 --output x").code()).isEqualTo(2);
    assertThat(inLocaleC("export caf\\303\\251 --output x").err())
        .contains("'caf\u00e9' can't be a file's name here");
    assertThat(inLocaleC("export caf\\351 --output x"))
        .extracting(Outcome::code, Outcome::out)
        .containsExactly(2, "");
  }

  /** Runs a command whose words printf writes. */
  private static Outcome inLocaleC(String command) throws Exception {
    String script =
        "\"$1\" -cp \"$2\" \"$3\" $(printf '%b' '" + command.replace("\\3", "\\03") + "')";
    ProcessBuilder builder =
        new ProcessBuilder(
            "bash",
            "-c",
            script,
            "-",
            Path.of(System.getProperty("java.home"), "bin", "java").toString(),
            System.getProperty("java.class.path"),
            Sharnn.class.getName());
    builder.environment().put("LC_ALL", "C");
    Process process = builder.start();
    String err = new String(process.getErrorStream().readAllBytes(), UTF_8);
    String out = new String(process.getInputStream().readAllBytes(), UTF_8);
    assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
    return new Outcome(process.exitValue(), out, err.lines().findFirst().orElse(""));
  }
}
