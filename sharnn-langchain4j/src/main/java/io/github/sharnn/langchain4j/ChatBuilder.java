package io.github.sharnn.langchain4j;

import static com.google.common.base.Preconditions.checkNotNull;
import static com.google.common.base.Strings.lenientFormat;

import ai.djl.Model;
import dev.langchain4j.data.message.ChatMessage;
import dev.langchain4j.data.message.UserMessage;
import dev.langchain4j.exception.UnsupportedFeatureException;
import dev.langchain4j.model.chat.listener.ChatModelListener;
import java.util.List;
import java.util.function.Function;

/**
 * The options that the builders of chat models share.
 *
 * @param <B> the builder
 */
abstract class ChatBuilder<B extends ChatBuilder<B>> extends ModelBuilder<B> {

  Function<List<ChatMessage>, String> prompt = ChatBuilder::onlyText;
  List<ChatModelListener> listeners = List.of();

  ChatBuilder(Model model) {
    super(model);
  }

  /**
   * Sets how messages become the text that the model continues. By default there must be one user
   * message, and the prompt is its text, unchanged. A model that was trained on dialogues needs the
   * form of its training text, and a stop sequence that ends its turn.
   *
   * @param function turns a request's messages into the prompt
   * @return this builder
   */
  public B prompt(Function<List<ChatMessage>, String> function) {
    prompt = checkNotNull(function, "prompt must not be null");
    return self();
  }

  /**
   * Sets the listeners of requests, responses and errors. Default none.
   *
   * @param chatListeners the listeners
   * @return this builder
   */
  public B listeners(List<ChatModelListener> chatListeners) {
    listeners = List.copyOf(chatListeners);
    return self();
  }

  private static String onlyText(List<ChatMessage> messages) {
    if (messages.size() == 1
        && messages.get(0) instanceof UserMessage user
        && user.hasSingleText()) {
      return user.singleText();
    }
    throw new UnsupportedFeatureException(
        lenientFormat(
            "a base language model continues the text of one user message, but the request has %s:"
                + " set prompt(...) in the builder to turn messages into the model's training text",
            messages.stream().map(ChatMessage::type).toList()));
  }
}
