package io.github.sharnn.tokenizers;

import static org.assertj.core.api.Assertions.assertThat;

import io.github.sharnn.fuzzing.Fuzzing;
import io.github.sharnn.fuzzing.Mutation;
import io.github.sharnn.vocabulary.TextVocabulary;
import io.github.sharnn.vocabulary.VocabularyFormat;
import io.github.sharnn.vocabulary.WordVocabulary;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import net.jqwik.api.Arbitraries;
import net.jqwik.api.Arbitrary;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.Provide;
import net.jqwik.api.lifecycle.AfterContainer;
import net.jqwik.api.lifecycle.BeforeContainer;

/**
 * Good vocabularies with a few things wrong: each is read and encodes and decodes a text, or is
 * rejected with what its reader documents, in little memory and time. See docs/reliability.md for
 * many more inputs.
 */
class UntrustedVocabularyTest {

  private static final String TEXT =
      " \u0001e\u0301the  Old\tman <s> <unk>1984's \ufdfa\ufb01re \u2026\n\n \u6f22\u5b57\ud83d\ude42[UNK] "
          + "head".repeat(50)
          + "x".repeat(300)
          + " ".repeat(300);
  private static final String WORDS =
      "<unk>\n<eos>\nthe\nman\nhead\n\u6f22\u5b57\nx\ny\nz\n1984\n,\n.\n";
  private static final Path STATUS = Path.of("/proc/self/status");
  private static final Path RESET = Path.of("/proc/self/clear_refs");
  private static final long MAX_RESIDENT = 64 << 10; // KiB
  private static final boolean MEASURES = // pages of the heap would count too
      Files.isWritable(RESET)
          && ManagementFactory.getRuntimeMXBean()
              .getInputArguments()
              .contains("-XX:+AlwaysPreTouch");

  private static List<String> tokenizers;
  private static String own;
  private static long mostResident;

  @BeforeContainer
  static void makeGoodFiles() throws IOException {
    tokenizers = Tokenizers.all().map(each -> (String) each.get()[1]).toList();
    own = new String(Texts.pieces(300).content(), StandardCharsets.UTF_8);
    for (String each : tokenizers) { // loads the native library
      use(new SubwordVocabulary.Format(), each.getBytes(StandardCharsets.UTF_8));
    }
  }

  @AfterContainer
  static void printFigures() {
    Fuzzing.print();
    System.out.printf(Locale.ROOT, "resident KiB more at the peak of one: %d%n", mostResident);
  }

  /** jqwik prefers small numbers and zero, but each seed should make its own file. */
  @Provide
  Arbitrary<Long> seeds() {
    return Arbitraries.randomValue(Random::nextLong);
  }

  private static long use(VocabularyFormat format, byte[] content) throws IOException {
    TextVocabulary vocabulary = format.read(content);
    int[] tokens;
    try {
      tokens = vocabulary.encode(TEXT);
    } catch (IllegalArgumentException e) { // a text without tokens
      assertThat(e).hasMessageContaining("the tokenizer has no tokens for");
      return 0;
    }
    byte[] text = vocabulary.decode(tokens);
    if (vocabulary.lossless()) {
      assertThat(text).asString(StandardCharsets.UTF_8).isEqualTo(TEXT);
    }
    Random random = new Random(content.length);
    vocabulary.decode(random.ints(20, 0, (int) vocabulary.size()).toArray());
    return 0;
  }

  private static void check(String name, VocabularyFormat format, byte[] content)
      throws IOException {
    long before = resident("VmRSS:", true);
    Fuzzing.check(name, () -> use(format, content));
    long more = resident("VmHWM:", false) - before;
    mostResident = Math.max(mostResident, more);
    assertThat(more).as("KiB more").isLessThanOrEqualTo(MAX_RESIDENT);
  }

  /** Returns the resident KiB of this process, or 0 where they can't be measured. */
  private static long resident(String name, boolean reset) throws IOException {
    if (!MEASURES) {
      return 0;
    }
    if (reset) { // the peak
      Files.writeString(RESET, "5", StandardOpenOption.WRITE);
    }
    String line =
        Files.readAllLines(STATUS).stream()
            .filter(l -> l.startsWith(name))
            .findFirst()
            .orElseThrow();
    return Long.parseLong(line.replaceAll("\\D", ""));
  }

  @Property
  void words(@ForAll("seeds") long seed) throws IOException {
    byte[] good = WORDS.getBytes(StandardCharsets.UTF_8);
    check("vocabulary.txt", new WordVocabulary.Format(), Mutation.of(good, new Random(seed)));
  }

  @Property
  void tokenizersEncodedInJava(@ForAll("seeds") long seed) throws IOException {
    check("tokenizer.json of bpe:SIZE", new SubwordVocabulary.Format(), mutated(own, seed));
  }

  @Property
  void otherTokenizers(@ForAll("seeds") long seed) throws IOException {
    String good = tokenizers.get(Math.floorMod(seed >>> 1, tokenizers.size()));
    check("tokenizer.json of others", new SubwordVocabulary.Format(), mutated(good, seed));
  }

  /** Two of three files stay valid JSON. */
  private static byte[] mutated(String good, long seed) {
    Random random = new Random(seed);
    if (random.nextInt(3) == 0) {
      return Mutation.of(good.getBytes(StandardCharsets.UTF_8), random);
    }
    return new JsonMutation(tokenizers, random).of(good).getBytes(StandardCharsets.UTF_8);
  }
}
