package io.github.sharnn.cli.fuzz;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.github.sharnn.vocabulary.WordVocabulary;

class WordsFuzz {

  @FuzzTest(maxDuration = "60s")
  void vocabulary(byte[] content) throws Exception {
    Inputs.read(() -> Inputs.use(new WordVocabulary.Format().read(content)));
  }
}
