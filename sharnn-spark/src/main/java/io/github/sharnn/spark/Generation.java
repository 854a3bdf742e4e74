package io.github.sharnn.spark;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.Model;
import io.github.sharnn.generate.GenerationBatch;
import io.github.sharnn.generate.SHARNNGenerator;
import io.github.sharnn.generate.Sampler;
import java.util.ArrayList;
import java.util.List;

/**
 * The generation of texts after prompts.
 *
 * @param batchSize texts side by side
 * @param length the maximum number of tokens
 * @param sampler draws the tokens
 * @param repetitionWindow the number of last tokens that the penalty covers
 * @param stop the text after which generation stops, empty for none
 */
record Generation(int batchSize, int length, Sampler sampler, int repetitionWindow, String stop)
    implements TextWork {

  Generation {
    checkArgument(length >= 1, "length must be at least 1 token, but is %s", length);
    checkArgument(
        repetitionWindow >= 0,
        "repetitionWindow must be at least 0 tokens, but is %s: set repetitionPenalty to 1 for no penalty",
        repetitionWindow);
  }

  @Override
  public OfModel open(Model model) {
    generator(model, 0); // checks the model
    return prompts -> generate(model, prompts);
  }

  private List<Object[]> generate(Model model, List<Text> prompts) {
    List<StringBuilder> texts = new ArrayList<>();
    GenerationBatch batch = GenerationBatch.of(model).streams(batchSize);
    for (Text prompt : prompts) {
      StringBuilder text = new StringBuilder();
      batch.add(generator(model, prompt.seed()), prompt.text(), text::append);
      texts.add(text);
    }
    batch.run();
    return texts.stream().map(text -> new Object[] {text.toString()}).toList();
  }

  private SHARNNGenerator generator(Model model, long seed) {
    return SHARNNGenerator.builder(model)
        .length(length)
        .temperature(sampler.temperature())
        .topK(sampler.topK())
        .topP(sampler.topP())
        .minP(sampler.minP())
        .repetitionPenalty(sampler.repetitionPenalty())
        .repetitionWindow(repetitionWindow)
        .stop(stop.isEmpty() ? new String[0] : new String[] {stop})
        .seed(seed)
        .build();
  }
}
