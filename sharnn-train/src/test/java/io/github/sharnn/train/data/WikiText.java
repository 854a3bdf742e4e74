package io.github.sharnn.train.data;

import io.github.sharnn.vocabulary.WordVocabulary;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;

/** A corpus of three small files, and a folder of its own for token files. */
abstract class WikiText {

  static final String TRAIN = " \n = Stop = \n stop thinking with your head . \n head , \n";
  static final String VALID = "your head stop . \n \n thinking \n";
  static final String TEST = "stop your dreaming head\nwith thinking";

  private static final String CACHE = "DJL_CACHE_DIR";

  @TempDir Path folder;
  private String before;

  @BeforeEach
  void ownCache() {
    before = System.getProperty(CACHE);
    System.setProperty(CACHE, folder.resolve("cache").toString());
  }

  @AfterEach
  void commonCache() {
    if (before == null) {
      System.clearProperty(CACHE);
    } else {
      System.setProperty(CACHE, before);
    }
  }

  /** A corpus with a file for each part. */
  Path wikiText(String layout) throws IOException {
    Path data = Files.createDirectories(folder.resolve("data"));
    Files.writeString(data.resolve(String.format(Locale.ROOT, layout, "train")), TRAIN);
    Files.writeString(data.resolve(String.format(Locale.ROOT, layout, "valid")), VALID);
    Files.writeString(data.resolve(String.format(Locale.ROOT, layout, "test")), TEST);
    return data;
  }

  Corpus words() throws IOException {
    Corpus bytes = Corpus.folder(wikiText("wiki.%s.tokens"));
    return bytes.withVocabulary(WordVocabulary.train(bytes.train().open(), 1, Integer.MAX_VALUE));
  }

  /** A vocabulary of so many words, those of the texts above among them. */
  static WordVocabulary ofSize(int size) {
    List<String> words = new ArrayList<>();
    for (int i = 0; i < size - 6; i++) {
      words.add("w" + i);
    }
    // the last ones, so that their tokens are as large as can be
    words.addAll(List.of("stop", "your", "head", "thinking", "<eos>", "<unk>"));
    return WordVocabulary.of(words);
  }

  static int[] tokens(Corpus.Part part) {
    int[] tokens = new int[(int) part.length()];
    part.read(0, tokens);
    return tokens;
  }
}
