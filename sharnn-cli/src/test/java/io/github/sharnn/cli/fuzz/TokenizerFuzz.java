package io.github.sharnn.cli.fuzz;

import com.code_intelligence.jazzer.junit.FuzzTest;
import io.github.sharnn.tokenizers.SubwordVocabulary;

class TokenizerFuzz {

  @FuzzTest(maxDuration = "60s")
  void tokenizer(byte[] content) throws Exception {
    Inputs.read(() -> Inputs.use(SubwordVocabulary.of(content)));
  }
}
