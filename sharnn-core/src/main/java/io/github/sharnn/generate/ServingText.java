package io.github.sharnn.generate;

import static com.google.common.base.Preconditions.checkArgument;

import ai.djl.modality.Input;
import ai.djl.modality.Output;
import ai.djl.ndarray.BytesSupplier;
import ai.djl.ndarray.NDList;
import ai.djl.translate.NoBatchifyTranslator;
import ai.djl.translate.TranslatorContext;

/**
 * A translator for DJL Serving, from the body of a request to the body of the answer. The header
 * {@code X-SHARNN-Seed} of the answer names the seed of its text.
 */
record ServingText(GenerationTranslator text) implements NoBatchifyTranslator<Input, Output> {

  private static final int OK = 200;

  @Override
  public NDList processInput(TranslatorContext ctx, Input input) {
    BytesSupplier prompt = input.getData();
    checkArgument(prompt != null, "the request must have a prompt as its body, but has none");
    return text.processInput(ctx, prompt.getAsString());
  }

  @Override
  public Output processOutput(TranslatorContext ctx, NDList outputs) {
    Output output = new Output(OK, "OK");
    output.addProperty("Content-Type", "text/plain; charset=utf-8");
    output.addProperty("X-SHARNN-Seed", String.valueOf(GenerationTranslator.seed(ctx)));
    output.add(text.processOutput(ctx, outputs));
    return output;
  }
}
