package io.github.sharnn.cli.options;

import static com.google.common.base.Preconditions.checkArgument;
import static io.github.sharnn.cli.progress.Texts.print;

import com.google.common.primitives.Ints;
import io.github.sharnn.tokenizers.BytePairTrainer;
import io.github.sharnn.tokenizers.SubwordVocabulary;
import io.github.sharnn.train.Recipe;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.vocabulary.TextVocabulary;
import io.github.sharnn.vocabulary.WordVocabulary;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** Options that choose a new model's vocabulary. */
public final class VocabularyOptions {

  private static final String BYTES = "bytes";
  private static final String WORDS = "words";
  private static final String PIECES = "bpe";

  @Option(
      names = "--vocabulary",
      paramLabel = "KIND",
      description =
          "The tokens: bytes; words or words:SIZE, the most frequent words of the training part;"
              + " bpe:SIZE, byte-level BPE that is trained on the training part; or a file, a"
              + " Hugging Face tokenizer.json or another model's vocabulary.txt. Default: bytes;"
              + " bpe:8192 in fast-subwords.")
  private @Nullable String given;

  @Option(
      names = "--minimum-count",
      paramLabel = "N",
      description = "Fewest occurrences of a word, with --vocabulary words. Default: 1.")
  private @Nullable Integer minimumCount;

  /** Creates or reads the vocabulary; a recipe sets the default. */
  public TextVocabulary of(Corpus corpus, Recipe recipe) throws IOException {
    String kind =
        given != null ? given : recipe.subwords() > 0 ? PIECES + ":" + recipe.subwords() : BYTES;
    String[] parts = kind.split(":", 2);
    checkArgument(
        minimumCount == null || parts[0].equals(WORDS),
        "--minimum-count is for --vocabulary words, but that is '%s': leave one out",
        kind);
    if (kind.equals(BYTES)) {
      return TextVocabulary.bytes();
    }
    if (parts[0].equals(WORDS)) {
      int size = parts.length == 1 ? Integer.MAX_VALUE : size(kind, parts[1]);
      return WordVocabulary.train(
          corpus.train().open(), minimumCount == null ? 1 : minimumCount, size);
    }
    if (parts[0].equals(PIECES) && parts.length == 2) {
      int size = size(kind, parts[1]);
      long begin = System.nanoTime();
      SubwordVocabulary pieces = BytePairTrainer.train(corpus.train().open(), size);
      print("%s trained in %.0f s%n", pieces, (System.nanoTime() - begin) / 1e9);
      return pieces;
    }
    Path file = Path.of(kind); // Windows rejects a name with a colon, such as words:9
    checkArgument(
        Files.isRegularFile(file),
        "--vocabulary must be bytes, words, words:SIZE, bpe:SIZE or a file, but is '%s', %s",
        kind,
        Files.isDirectory(file)
            ? "a folder: name the tokenizer.json or vocabulary.txt in it"
            : "and there is no such file");
    return kind.endsWith(".txt") ? WordVocabulary.open(file) : SubwordVocabulary.open(file);
  }

  private static int size(String kind, String text) {
    Integer size = Ints.tryParse(text);
    checkArgument(
        size != null, "--vocabulary takes a number of tokens after the colon, but is '%s'", kind);
    return size;
  }
}
