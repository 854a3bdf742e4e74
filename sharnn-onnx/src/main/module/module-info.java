/** Export to ONNX. */
@SuppressWarnings("requires-automatic")
module io.github.sharnn.onnx {
  requires transitive io.github.sharnn;
  requires com.google.common;
  requires com.google.protobuf;
  requires org.tribuo.util.onnx;
  requires static org.jspecify;

  exports io.github.sharnn.onnx;
}
