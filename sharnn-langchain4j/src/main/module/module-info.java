/** LangChain4j models. */
@SuppressWarnings({"requires-automatic", "requires-transitive-automatic"})
module io.github.sharnn.langchain4j {
  requires transitive io.github.sharnn;
  requires transitive langchain4j.core;
  requires com.google.common;
  requires static org.jspecify;

  exports io.github.sharnn.langchain4j;
}
