/**
 * LangChain4j models over a loaded SHARNN.
 *
 * <p>Start at {@link io.github.sharnn.langchain4j.SHARNNLanguageModel}, which continues a text.
 * {@link io.github.sharnn.langchain4j.SHARNNChatModel} and {@link
 * io.github.sharnn.langchain4j.SHARNNStreamingChatModel} do the same where LangChain4j asks for a
 * chat model.
 */
@NullMarked
package io.github.sharnn.langchain4j;

import org.jspecify.annotations.NullMarked;
