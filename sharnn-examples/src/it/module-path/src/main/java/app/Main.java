package app;

import ai.djl.Model;
import ai.djl.inference.Predictor;
import ai.djl.repository.zoo.Criteria;
import ai.djl.repository.zoo.ZooModel;
import io.github.sharnn.SHARNN;
import io.github.sharnn.generate.SHARNNGenerator;
import io.github.sharnn.score.Scorer;
import io.github.sharnn.train.Budget;
import io.github.sharnn.train.FitResult;
import io.github.sharnn.train.SHARNNTrainer;
import io.github.sharnn.train.checkpoint.CheckpointPolicy;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.vocabulary.WordVocabulary;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** Uses resources, services and records of the library on the module path. */
public final class Main {

  private Main() {}

  public static void main(String[] args) throws Exception {
    Path folder = Files.createDirectories(Path.of("target/run"));
    String text =
        IntStream.range(0, 400)
            .mapToObj(i -> "Line " + i % 7 + ": the quick brown fox.\n")
            .collect(Collectors.joining());
    Corpus bytes = Corpus.open(Files.writeString(folder.resolve("book.txt"), text));
    WordVocabulary words = WordVocabulary.train(bytes.train().open(), 1, 100);
    Corpus corpus = bytes.withVocabulary(words);
    Path saved = folder.resolve("model");
    fit(corpus, words, folder, 2);
    System.out.println("resumed at step " + fit(corpus, words, folder, 4).last().step());

    try (Model model = SHARNN.load(saved)) {
      String generated = SHARNNGenerator.builder(model).length(3).build().generate("the ");
      int tokens = Scorer.builder(model).build().score("the quick").tokens().size();
      System.out.println(generated + " " + tokens);
    }
    Criteria<String, String> criteria =
        Criteria.builder().setTypes(String.class, String.class).optModelPath(saved).build();
    try (ZooModel<String, String> model = criteria.loadModel();
        Predictor<String, String> predictor = model.newPredictor()) {
      System.out.println(predictor.predict("the "));
    }
  }

  private static FitResult fit(Corpus corpus, WordVocabulary words, Path folder, int steps)
      throws Exception {
    SHARNN block =
        SHARNN.builder()
            .vocabulary(words)
            .embeddingSize(16)
            .boomSize(16)
            .layers(1)
            .memoryLength(32)
            .build();
    try (Model model = block.newModel("m")) {
      FitResult result =
          SHARNNTrainer.builder(model)
              .batchSize(2)
              .sequenceLength(16)
              .checkpoints(CheckpointPolicy.in(folder.resolve("run")).everySteps(1).resume())
              .build()
              .fit(corpus, Budget.steps(steps));
      model.save(folder.resolve("model"), null);
      return result;
    }
  }
}
