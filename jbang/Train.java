///usr/bin/env jbang "$0" "$@" ; exit $?
//JAVA 17+
//DESCRIPTION Trains a small model on book.txt, generates 100 characters, and saves the model
//DEPS io.github.sharnn:sharnn-train:0.1.0-SNAPSHOT
//DEPS ai.djl.pytorch:pytorch-native-cpu:2.7.1:${native:linux-x86_64}
//DEPS ai.djl.pytorch:pytorch-jni:2.7.1-0.36.0
//DEPS org.slf4j:slf4j-simple:2.0.20

import ai.djl.Model;
import io.github.sharnn.SHARNN;
import io.github.sharnn.generate.SHARNNGenerator;
import io.github.sharnn.train.*;
import io.github.sharnn.train.data.Corpus;
import io.github.sharnn.train.evaluate.Evaluation;
import io.github.sharnn.train.optim.LearningRateSchedule;
import io.github.sharnn.train.progress.ProgressLine;
import java.nio.file.Path;

public class Train {
  public static void main(String[] args) throws Exception {
    Corpus corpus = Corpus.open(Path.of("book.txt")); // 90% to train, 5% to validate, 5% to test
    SHARNN block = SHARNN.builder().embeddingSize(192).boomSize(768).layers(2).memoryLength(256).build();
    try (Model model = block.newModel("book")) {
      SHARNNTrainer trainer = SHARNNTrainer.builder(model).batchSize(16).sequenceLength(64)
          .learningRate(LearningRateSchedule.peak(3e-3f).warmUp(50)).onStep(new ProgressLine()).build();
      FitResult result = trainer.fit(corpus, Budget.epochs(2));
      Evaluation test = Evaluation.of(model, corpus.test());
      System.out.printf("%d steps, test %.2f bits per character%n", result.last().step(), test.bitsPerCharacter());
      System.out.println(SHARNNGenerator.builder(model).length(100).build().generate("The "));
      model.save(Path.of("book-model"), null); // Model book = SHARNN.load(Path.of("book-model"));
    }
  }
}
