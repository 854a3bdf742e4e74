/** Subword vocabularies. */
@SuppressWarnings("requires-automatic")
module io.github.sharnn.tokenizers {
  requires transitive io.github.sharnn;
  // static: an application without subwords starts without it; if it is there, every automatic module is loaded
  requires static ai.djl.tokenizers;
  requires com.google.common;
  requires com.google.gson;
  requires static org.jspecify;

  exports io.github.sharnn.tokenizers;

  provides io.github.sharnn.vocabulary.VocabularyFormat with
      io.github.sharnn.tokenizers.SubwordVocabulary.Format;
}
