/**
 * SHARNN models as ONNX files: {@link io.github.sharnn.onnx.OnnxExport} writes one, for runtimes
 * without PyTorch.
 */
package io.github.sharnn.onnx;
