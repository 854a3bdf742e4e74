/**
 * Benchmarks and the check against the reference's numbers.
 *
 * <p>The module is open because Gson reads its records.
 */
@SuppressWarnings("requires-automatic")
open module io.github.sharnn.bench {
  requires transitive io.github.sharnn.train;
  requires io.github.sharnn.onnx;
  requires ai.djl.pytorch_engine;
  requires com.google.common;
  requires com.google.gson;
  requires org.slf4j;
  requires static com.microsoft.onnxruntime;
  requires static org.jspecify;

  exports io.github.sharnn.bench;
}
