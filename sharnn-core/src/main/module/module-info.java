/**
 * The SHA-RNN model, its vocabularies, generation and scoring.
 *
 * <p>The module is open because Gson and DJL read classes and resources of it by reflection.
 */
@SuppressWarnings({"requires-automatic", "requires-transitive-automatic"})
open module io.github.sharnn {
  requires transitive ai.djl.api;
  requires ai.djl.pytorch_engine;
  requires com.google.common;
  requires com.google.gson;
  requires com.sun.jna;
  requires java.logging; // JNA
  requires java.management; // DJL
  requires org.slf4j;
  requires static org.jspecify;

  exports io.github.sharnn;
  exports io.github.sharnn.decode;
  exports io.github.sharnn.engine;
  exports io.github.sharnn.engine.kernels;
  exports io.github.sharnn.generate;
  exports io.github.sharnn.io;
  exports io.github.sharnn.pretrained;
  exports io.github.sharnn.score;
  exports io.github.sharnn.serve;
  exports io.github.sharnn.softmax;
  exports io.github.sharnn.vocabulary;
  exports io.github.sharnn.zoo;

  uses io.github.sharnn.pretrained.PretrainedModel;
  uses io.github.sharnn.vocabulary.VocabularyFormat;

  provides ai.djl.repository.RepositoryFactory with
      io.github.sharnn.zoo.SavedModelRepositoryFactory;
  provides io.github.sharnn.vocabulary.VocabularyFormat with
      io.github.sharnn.vocabulary.WordVocabulary.Format;
}
